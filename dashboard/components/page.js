// On every page: links at its very top that lead to its parts, and "?" for its keys wherever nothing is being written.
// keys.js and account.js, which makes elements, are in the same module.
const WRITTEN_IN = "input:not([type=radio], [type=checkbox], [type=range]), textarea, [contenteditable=true]"

// What a link leads to: a heading, or the place in a part of the page that takes keys.
function placeOf(selector) {
  const found = document.querySelector(selector)
  const hosts = found ? [found, ...found.querySelectorAll("*")].filter((one) => one.shadowRoot) : []
  const takesKeys = (what) => hosts.map((host) => host.shadowRoot.querySelector(`${what}[tabindex="0"]`)).find(Boolean)
  return takesKeys(".pane") ?? takesKeys("tr") ?? takesKeys("") ?? found
}

function skipLinks(skips) {
  const links = element("nav", "")
  links.setAttribute("aria-label", "Parts of this page")
  links.dataset.skips = "longview"
  for (const [words, selector] of skips) {
    const link = element("a", "", words)
    link.href = location.href
    link.addEventListener("click", (event) => {
      event.preventDefault()
      const place = placeOf(selector)
      if (!place) return
      if (!place.hasAttribute("tabindex")) place.tabIndex = -1
      place.scrollIntoView({ block: "nearest" })
      place.focus()
    })
    link.dataset.to = selector
    links.append(link)
  }
  return links
}

// Watches over one page; what is returned ends it.
function watchPage(root, { title, keys, skips }) {
  document.querySelectorAll("[data-skips=longview]").forEach((old) => old.remove())
  const links = skipLinks(skips)
  if (skips.length) document.body.prepend(links)
  offerKeys(root, title, keys)
  const atKey = (event) => {
    // A link to what the page does not have leads nowhere: it is left out.
    if (event.key === "Tab") for (const link of links.children) link.hidden = !placeOf(link.dataset.to)
  }
  const asked = (event) => {
    if (event.key !== "?" || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
    const [at] = event.composedPath()
    if (at.matches?.(WRITTEN_IN) || document.querySelector("dialog[open]")) return
    event.preventDefault()
    toggleKeys(root)
  }
  document.addEventListener("keydown", atKey, true)
  document.addEventListener("keydown", asked)
  return () => {
    document.removeEventListener("keydown", atKey, true)
    document.removeEventListener("keydown", asked)
    links.remove()
  }
}

