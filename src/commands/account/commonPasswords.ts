// Passwords that are tried first. Shorter ones are refused for their length already.
import { dictionary } from '@zxcvbn-ts/language-common'

/** Passwords that the list of the library lacks, or has without a common suffix. */
const more = `
00000000 0123456789 11111111 111111111 1111111111 11223344 112233445566 12121212 123123123
1234567890 12345678 123456789 123456789a 12345678910 1234abcd 12344321 1234qwer 123qweasd
123qwe123 13131313 1a2b3c4d 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 21212121 22222222 33333333
44444444 55555555 66666666 77777777 87654321 88888888 987654321 9876543210 99999999 aa123456
aaaaaaaa abc12345 abc123456 abcd1234 abcdefgh abcdefg1 access14 admin123 admin1234 administrator
alexander asdf1234 asdfasdf asdfghjk asdfghjkl babygirl baseball basketball blahblah butthead
caroline changeme charlie1 chocolate christian claudia1 coffee12 computer corvette danielle
december dolphins drowssap einstein elizabeth explorer fireball football football1 freedom1
garfield godzilla guinness hardcore hello123 hellohello iloveyou iloveyou1 internet jennifer
jonathan jordan23 justin12 kimberly letmein1 letmein123 liverpool london12 marlboro maverick
mercedes michael1 michelle midnight mohammed monkey12 mustang1 my_password nicholas nintendo
november p@$$w0rd p@ssw0rd p@ssword passw0rd passw0rd1 password password! password1 password1!
password12 password123 password1234 passwords patricia pokemon1 princess princess1 q1w2e3r4
q1w2e3r4t5 qazwsxedc qwer1234 qwerty12 qwerty123 qwerty1234 qwertyui qwertyuiop rockyou1
samantha samsung1 scorpion september shadow12 slipknot snickers spiderman startrek starwars
steelers stephanie summer12 sunshine sunshine1 superman superman1 swordfish test1234 testtest
thomas12 thunder1 trustno1 twilight undertaker victoria welcome1 welcome123 whatever william1
windows1 winston1 yellow12 zaq12wsx zaq1zaq1 zxcvbnm1 zxcvbnm,
`

const lengthMin = 8

/** Some 18,000 that were found most often in what was stolen elsewhere; in lower case. */
export const commonPasswords: ReadonlySet<string> = new Set(
  [...dictionary['passwords-common'], ...more.trim().split(/\s+/)]
    .filter(password => password.length >= lengthMin)
    .map(password => password.toLowerCase()),
)
