// Confirms an address with what a mailed link carries behind its #.
const form = document.getElementById('form')
const send = document.getElementById('send')
const said = document.getElementById('said')

let token

/** Takes the secret out of the address, so that it is in no history and on no screen. */
function readLink() {
  token = new URLSearchParams(location.hash.slice(1)).get('token')
  history.replaceState(null, '', location.pathname)
  form.hidden = !token
  if (token) say('')
  else say('This link is not complete: open it from the mail again, or ask for another.', 'bad')
}

function say(text, is) {
  said.textContent = text
  said.dataset.is = is ?? ''
}

/** Only when somebody asks for it: programs that look at mails open links, too. */
async function confirm() {
  const response = await fetch('/api/auth/email/confirm', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}))
    return say(problem.detail ?? 'That did not work: try again.', 'bad')
  }
  form.hidden = true
  token = undefined
  say('Your address is confirmed.', 'good')
}

form.addEventListener('submit', async event => {
  event.preventDefault()
  send.disabled = true
  try {
    await confirm()
  } catch {
    say('The shop cannot be reached: try again in a moment.', 'bad')
  } finally {
    send.disabled = false
  }
})
addEventListener('hashchange', readLink)
readLink()
