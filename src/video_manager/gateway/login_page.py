"""The look of the login page: no script, no outside files, light and dark, phone and desktop."""

from html import escape
from string import Template
from urllib.parse import quote

_ICON = "data:image/svg+xml," + quote(
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    "<rect width='32' height='32' rx='8' fill='#4f46e5'/><path d='M12 9l11 7-11 7z' fill='white'/></svg>"
)

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Sign in · Video Manager</title>
<link rel="icon" href="$icon">
<style>
:root {
  --back: #f4f4f8; --card: #ffffff; --text: #1b1b27; --soft: #5d5d70; --line: #d5d5e0; --accent: #4f46e5;
  --accent-strong: #4338ca; --on-accent: #ffffff; --wrong-back: #fdecec; --wrong: #a11919;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #101018; --card: #1a1a26; --text: #ececf4; --soft: #a4a4b8; --line: #3a3a4e; --accent: #7c74ff;
    --accent-strong: #958eff; --on-accent: #0f0f18; --wrong-back: #3a1a1e; --wrong: #ffb4b4;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center; padding: 1.25rem;
  background: var(--back) radial-gradient(
    60rem 40rem at 50% -10%, color-mix(in srgb, var(--accent) 18%, var(--back)), var(--back)
  ) no-repeat;
  color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main {
  width: 100%; max-width: 24rem; background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
  padding: 2rem; box-shadow: 0 1rem 3rem rgb(0 0 0 / 12%);
}
.mark {
  width: 3rem; height: 3rem; border-radius: .75rem; background: var(--accent); display: grid; place-items: center;
}
.mark svg { width: 1.5rem; height: 1.5rem; fill: var(--on-accent); margin-left: .15rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 1rem 0 .25rem; letter-spacing: -.01em; }
p { margin: 0 0 1.25rem; color: var(--soft); }
label { display: block; font-weight: 600; font-size: .9rem; margin: 1rem 0 .35rem; }
input {
  width: 100%; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line);
  border-radius: .6rem; padding: .65rem .8rem;
}
input:focus-visible, button:focus-visible {
  outline: 3px solid color-mix(in srgb, var(--accent) 45%, transparent); outline-offset: 1px;
  border-color: var(--accent);
}
button {
  width: 100%; margin-top: 1.5rem; font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent);
  border: 0; border-radius: .6rem; padding: .75rem; cursor: pointer;
}
button:hover { background: var(--accent-strong); }
.wrong { background: var(--wrong-back); color: var(--wrong); border-radius: .6rem; padding: .65rem .8rem; margin: 0; }
</style>
</head>
<body>
<main>
<div class="mark" aria-hidden="true"><svg viewBox="0 0 24 24"><path d="M5 3l16 9-16 9z"/></svg></div>
<h1>Video Manager</h1>
<p>Sign in to request, review and publish videos.</p>
$error
<form method="post" action="/login">
<input type="hidden" name="csrf" value="$csrf">
<input type="hidden" name="next" value="$next">
<label for="name">Name</label>
<input id="name" name="name" value="$name" autocomplete="username" autocapitalize="none" spellcheck="false"
  maxlength="200" required $focus_name>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required $focus_password>
<button type="submit">Sign in</button>
</form>
</main>
</body>
</html>
""")


def render_login(csrf: str, next: str, name: str, error: str | None) -> str:
    return _PAGE.substitute(
        icon=escape(_ICON),
        csrf=escape(csrf),
        next=escape(next),
        name=escape(name),
        error=f'<p class="wrong" role="alert">{escape(error[:1].upper() + error[1:])}.</p>' if error else "",
        focus_name="" if name else "autofocus",
        focus_password="autofocus" if name else "",
    )
