// Who is signed in, the way out, and a watch: a page shows nothing and does nothing once its sign-in has ended or
// somebody else has signed in in this browser. It is covered, not left: what was typed on it stands beneath, and is there
// again when its own person is.
const EVERY_MS = 30000
const NOT_SOONER_MS = 1500
// The server lets go of a held page within half a second, and the browser connects anew: what is pressed before is lost.
const GOING_ON_MS = 3000

const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}

function made(parentElement) {
  const root = element("div", "account")
  const out = element("a", "", "Sign out")
  out.href = "/sign-out"
  root.append(element("span", "who"), element("span", "role"), out)
  const cover = element("dialog", "cover")
  cover.setAttribute("aria-labelledby", "cover-title")
  const title = element("h2", "", "")
  title.id = "cover-title"
  const again = element("a", "again", "")
  again.href = "/sign-in"
  again.target = "_blank"
  again.rel = "noopener"
  cover.append(title, element("p", "said"), again, element("button", "leave", ""))
  // Not to be closed by Escape: what lies beneath is not for whoever sits here now.
  cover.addEventListener("cancel", (event) => event.preventDefault())
  cover.addEventListener("close", () => cover.dataset.on && cover.showModal())
  // An open form beneath would close at a click or a key elsewhere, and drop what stands in it.
  for (const name of ["pointerdown", "mousedown", "mouseup", "click", "focusin", "touchstart"]) {
    cover.addEventListener(name, (event) => event.stopPropagation())
  }
  parentElement.append(root, cover)
  return root
}

function coverWith(cover, title, said, again, leave, target) {
  cover.querySelector("h2").textContent = title
  cover.querySelector(".said").textContent = said
  cover.querySelector(".again").textContent = again
  const button = cover.querySelector(".leave")
  button.textContent = leave
  button.onclick = () => location.replace(target)
  cover.dataset.on = "yes"
  if (!cover.open) cover.showModal()
}

function uncover(cover) {
  delete cover.dataset.on
  if (cover.open) cover.close()
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".account") ?? made(parentElement)
  const cover = parentElement.querySelector(".cover")
  // The page has gone over to another person with its sign-in: what was asked in the name of the one before is void.
  if (root.dataset.user !== undefined && root.dataset.user !== String(data.user)) uncover(cover)
  root.dataset.user = data.user
  const who = root.querySelector(".who")
  who.textContent = data.who
  who.title = `${data.who}, ${data.role}`
  root.querySelector(".role").textContent = data.role

  let asked = 0
  let goingOn
  const check = async () => {
    asked = Date.now()
    let answer
    try {
      answer = await fetch(`/signed-in?as=${data.user}`, { cache: "no-store" })
    } catch {
      return // The server does not answer: Streamlit says so itself, and asks again.
    }
    if (root.dataset.user !== String(data.user)) return
    const kept = "Nothing is recorded here meanwhile. What was typed and not recorded yet still stands on this page: " +
      `to go on with it, sign in as ${data.who} and come back to this tab.`
    if (answer.status === 204) {
      if (!cover.open || goingOn) return
      cover.querySelector("h2").textContent = `Going on as ${data.who} …`
      goingOn = setTimeout(() => {
        goingOn = undefined
        uncover(cover)
      }, GOING_ON_MS)
      return
    }
    clearTimeout(goingOn)
    goingOn = undefined
    if (answer.status === 401) {
      const here = encodeURIComponent(location.pathname + location.search)
      coverWith(cover, "Your sign-in has ended", kept, "Sign in again, in another tab",
        "Drop what was typed and leave this page", `/sign-in?next=${here}`)
    } else if (answer.status === 409) {
      const { name } = await answer.json()
      if (root.dataset.user !== String(data.user)) return
      coverWith(cover, `${name} is signed in now`, `This page was opened by ${data.who}. ${kept}`,
        `Sign in as ${data.who}, in another tab`, `Drop what was typed and go on as ${name}`, "/")
    }
  }
  // Whoever comes to this page, or does something on it, is asked for before long: at once, or, where that was asked a
  // moment ago (the answer may be older than what just happened), when the moment is over.
  let later
  const soon = () => {
    if (document.visibilityState !== "visible" || later) return
    const wait = asked + NOT_SOONER_MS - Date.now()
    if (wait <= 0) {
      check()
      return
    }
    later = setTimeout(() => {
      later = undefined
      check()
    }, wait)
  }
  const timer = setInterval(check, EVERY_MS)
  const onlyTheCover = (event) => {
    if (!cover.open) return
    event.stopImmediatePropagation()
    if (event.key === "Escape") event.preventDefault()
  }
  window.addEventListener("keydown", onlyTheCover, true)
  const endPage = watchPage(root, data.page)
  const events = [[document, "visibilitychange"], [window, "focus"], [window, "pageshow"], [document, "pointerdown"],
    [document, "keydown"]]
  for (const [target, name] of events) target.addEventListener(name, soon, true)
  return () => {
    endPage()
    clearInterval(timer)
    clearTimeout(later)
    clearTimeout(goingOn)
    window.removeEventListener("keydown", onlyTheCover, true)
    for (const [target, name] of events) target.removeEventListener(name, soon, true)
    uncover(cover)
  }
}
