// Who is signed in, the way out, and a watch: a page left open shows nothing once its sign-in has ended.
const EVERY_MS = 30000

export default function ({ data, parentElement }) {
  let root = parentElement.querySelector(".account")
  if (!root) {
    root = document.createElement("div")
    root.className = "account"
    const who = document.createElement("span")
    who.className = "who"
    const role = document.createElement("span")
    role.className = "role"
    const out = document.createElement("a")
    out.href = "/sign-out"
    out.textContent = "Sign out"
    root.append(who, role, out)
    parentElement.append(root)
  }
  const who = root.querySelector(".who")
  who.textContent = data.who
  who.title = `${data.who}, ${data.role}`
  root.querySelector(".role").textContent = data.role

  const check = async () => {
    try {
      const answer = await fetch("/signed-in", { cache: "no-store" })
      if (answer.status === 401) {
        location.replace("/sign-in?next=" + encodeURIComponent(location.pathname + location.search))
      }
    } catch {
      // The server does not answer: Streamlit says so itself, and asks again.
    }
  }
  const onShow = () => document.visibilityState === "visible" && check()
  const timer = setInterval(check, EVERY_MS)
  document.addEventListener("visibilitychange", onShow)
  return () => {
    clearInterval(timer)
    document.removeEventListener("visibilitychange", onShow)
  }
}
