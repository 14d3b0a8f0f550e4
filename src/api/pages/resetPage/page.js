// Sets a new password with what a mailed link carries behind its #.
const form = document.getElementById('form')
const password = document.getElementById('password')
const show = document.getElementById('show')
const send = document.getElementById('send')
const said = document.getElementById('said')

let uid
let token

/** Takes the secret out of the address, so that it is in no history and on no screen. */
function readLink() {
  const values = new URLSearchParams(location.hash.slice(1))
  history.replaceState(null, '', location.pathname)
  uid = values.get('uid')
  token = values.get('token')
  const isWhole = Boolean(uid && token)
  form.hidden = !isWhole
  if (isWhole) say('')
  else say('This link is not complete: open it from the mail again, or ask for another.', 'bad')
}

function say(text, is) {
  said.textContent = text
  said.dataset.is = is ?? ''
}

/** What is wrong, in the words of the server. */
async function whyNot(response) {
  const problem = await response.json().catch(() => ({}))
  const faults = (problem.errors ?? []).map(each => each.detail)
  return [problem.detail ?? 'That did not work: try again.', ...faults].join(' ')
}

async function setPassword() {
  const response = await fetch('/api/auth/password/reset/confirm', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uid, token, newPassword: password.value }),
  })
  if (!response.ok) return say(await whyNot(response), 'bad')
  form.hidden = true
  form.reset()
  token = undefined
  say('Your password is set. You can sign in with it now.', 'good')
}

form.addEventListener('submit', async event => {
  event.preventDefault()
  send.disabled = true
  try {
    await setPassword()
  } catch {
    say('The shop cannot be reached: try again in a moment.', 'bad')
  } finally {
    send.disabled = false
  }
})
show.addEventListener('change', () => {
  password.type = show.checked ? 'text' : 'password'
})
addEventListener('hashchange', readLink)
readLink()
