// Who is signed in, the way out, and a watch: a page shows nothing and does nothing once its sign-in has ended or
// somebody else has signed in in this browser. It is covered, not left: what was typed on it stands beneath, and is there
// again when its own person is.
const EVERY_MS = 30000
const NOT_SOONER_MS = 1500
// The server lets go of a held page within half a second, and the browser connects anew: what is pressed before is lost.
const GOING_ON_MS = 3000
// Whoever does nothing is signed out; so long before she is told, or for a fifth of the time that one may do nothing.
const WARN_MS = 120000

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
  const own = element("a", "who")
  own.href = "/account"
  // In a tab of its own: what is open here stays as it is.
  const help = element("a", "help", "Help")
  help.target = "_blank"
  root.append(own, element("span", "role"), help, out)
  const warning = element("div", "warning")
  warning.setAttribute("role", "alert")
  warning.hidden = true
  warning.append(element("span", "said"), element("button", "stay", "Stay signed in"))
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
  parentElement.append(root, warning, cover)
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
  const warning = parentElement.querySelector(".warning")
  const cover = parentElement.querySelector(".cover")
  // The page has gone over to another person with its sign-in: what was asked in the name of the one before is void.
  if (root.dataset.user !== undefined && root.dataset.user !== String(data.user)) uncover(cover)
  root.dataset.user = data.user
  const who = root.querySelector(".who")
  who.textContent = data.who
  who.title = `${data.who}, ${data.role}: your account`
  who.onclick = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return
    const link = document.querySelector(".st-key-own_account a")
    if (!link) return
    event.preventDefault()
    link.click()
  }
  root.querySelector(".role").textContent = data.role
  root.querySelector(".help").href = `/help?chapter=${encodeURIComponent(data.chapter)}`

  let asked = 0
  let goingOn
  // What the page fetches by itself keeps nobody signed in: what a person does is told beside the question.
  const check = async () => {
    asked = Date.now()
    const done = root.dataset.done
    let answer
    try {
      answer = await fetch(`/signed-in?as=${data.user}${done ? "&done=1" : ""}`, { cache: "no-store" })
      if (done && root.dataset.done === done) delete root.dataset.done
    } catch {
      return // The server does not answer: Streamlit says so itself, and asks again.
    }
    if (root.dataset.user !== String(data.user)) return
    const kept = "Nothing is recorded here meanwhile. What was typed and not recorded yet still stands on this page: " +
      `to go on with it, sign in as ${data.who} and come back to this tab.`
    if (answer.status === 204) {
      warnBefore(answer.headers)
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
    warning.hidden = true
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
  // In how long the sign-in ends where nothing is done, and at the latest. Another tab may have put that off meanwhile:
  // when the time has come it is asked for again, and only then said.
  let warnLater
  const warnBefore = (headers) => {
    const [idle, most, end] = ["Idle-In", "Idle-After", "Ends-In"].map((name) => 1000 * headers.get(`X-Longview-${name}`))
    clearTimeout(warnLater)
    if (!most) return
    const ahead = Math.min(WARN_MS, most / 5)
    const left = Math.min(idle, end)
    if (left > ahead) {
      warning.hidden = true
      warnLater = setTimeout(check, left - ahead + 50)
      return
    }
    warning.hidden = false
    const inWords = left > 90000 ? `${Math.round(left / 60000)} minutes` : left > 45000 ? "a minute" : "less than a minute"
    const ending = end <= idle
    warning.querySelector(".said").textContent = ending
      ? `Your sign-in ends in ${inWords}: record what you are at. You can then sign in again, and nothing typed is lost.`
      : `Nothing was done here for a while: you are signed out in ${inWords}. What was typed stays on this page.`
    warning.querySelector(".stay").hidden = ending
    warnLater = setTimeout(check, Math.min(left + 50, 15000))
  }
  const does = () => {
    root.dataset.done = String(Date.now())
  }
  const doesAndIsAsked = (event) => {
    // A page that changes under a resting mouse makes it move as well, by nothing.
    if (event.type === "pointermove" && !event.movementX && !event.movementY) return
    does()
    if (!warning.hidden) soon()
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
  // Whoever opens a page has done something.
  if (!root.dataset.begun) {
    root.dataset.begun = "yes"
    does()
    soon()
  }
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
  const doing = ["pointerdown", "keydown", "wheel", "pointermove", "touchstart"]
  for (const name of doing) document.addEventListener(name, doesAndIsAsked, { capture: true, passive: true })
  return () => {
    for (const name of doing) document.removeEventListener(name, doesAndIsAsked, { capture: true })
    clearTimeout(warnLater)
    endPage()
    clearInterval(timer)
    clearTimeout(later)
    clearTimeout(goingOn)
    window.removeEventListener("keydown", onlyTheCover, true)
    for (const [target, name] of events) target.removeEventListener(name, soon, true)
    uncover(cover)
  }
}
