// The page in front of the dashboard of the queues: name and password, and a cookie in return.

export const signInPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Queues: sign in</title>
<link rel="stylesheet" href="/admin/queues/sign-in.css">
</head>
<body>
<main>
<h1>Queues</h1>
<form id="sign-in">
<label>Name or e-mail <input name="username" autocomplete="username" required autofocus></label>
<label>Password
<input name="password" type="password" autocomplete="current-password" required></label>
<button>Sign in</button>
<p id="problem" role="alert"></p>
</form>
</main>
<script src="/admin/queues/sign-in.js"></script>
</body>
</html>
`

export const signInStyle = `
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1b2430; background: #f3f5f8; }
main { max-width: 22rem; margin: 12vh auto 0; padding: 2rem; background: #fff;
  border: 1px solid #d8dee6; border-radius: 8px; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
label { display: block; margin-bottom: 1rem; font-weight: 600; }
input { box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .5rem .6rem;
  font: inherit; border: 1px solid #8793a3; border-radius: 4px; }
button { padding: .55rem 1.2rem; font: inherit; font-weight: 600; color: #fff; background: #1f5fbf;
  border: 0; border-radius: 4px; cursor: pointer; }
p { min-height: 1.5em; margin: 1rem 0 0; color: #a4161a; }
@media (max-width: 26rem) { main { margin: 1rem; padding: 1.25rem; } }
`

/** Signs in, has the token put where pages carry it along, and loads the page again. */
export const signInScript = `
const form = document.getElementById('sign-in')
const problem = document.getElementById('problem')
form.addEventListener('submit', async event => {
  event.preventDefault()
  problem.textContent = ''
  const { username, password } = Object.fromEntries(new FormData(form))
  const credentials = { [username.includes('@') ? 'email' : 'username']: username, password }
  try {
    const login = await post('/api/auth/login', {}, credentials)
    await post('/api/admin/queues/session', { authorization: 'Bearer ' + login.tokens.access })
    location.reload()
  } catch (error) {
    problem.textContent = error.message
  }
})
async function post(path, headers, body) {
  const type = body ? { 'content-type': 'application/json' } : {}
  const response = await fetch(path, {
    method: 'POST', headers: { ...type, ...headers }, body: body && JSON.stringify(body),
  })
  const answer = response.status === 204 ? {} : await response.json()
  if (!response.ok) throw new Error(answer.detail)
  return answer
}
`
