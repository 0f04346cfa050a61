// The keys of a page in a dialog, those of the part that was asked first. Each part of a page offers its own; a part
// that is gone from the page offers none. What makes elements (`element`) stands in the file before or after this one.
const OFFERED = (window.longviewKeys ??= []) // shared by all parts of the page: { place, title, keys }

function offerKeys(place, title, keys) {
  const others = OFFERED.filter((offer) => offer.place !== place && offer.place.isConnected)
  OFFERED.splice(0, OFFERED.length, ...others, { place, title, keys })
}

// Opens the dialog within a part, or closes it; what had the focus gets it back.
function toggleKeys(place) {
  const open = place.querySelector("dialog.keys")
  if (open) {
    open.close()
    return
  }
  const dialog = element("dialog", "keys")
  dialog.setAttribute("aria-label", "Keys of this page")
  const head = element("div", "keys-head")
  const close = element("button", "keys-close", "Close")
  close.type = "button"
  close.addEventListener("click", () => dialog.close())
  head.append(element("h2", "", "Keys"), close)
  const sections = element("div", "keys-sections")
  const there = OFFERED.filter((offer) => offer.place.isConnected && offer.keys.length)
  for (const { title, keys } of [...there.filter((one) => one.place === place), ...there.filter((one) => one.place !== place)]) {
    sections.append(sectionOf(title, keys))
  }
  dialog.append(head, sections)
  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation() // they are read here, not pressed
    if (event.key !== "?") return
    event.preventDefault()
    dialog.close()
  })
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close())
  dialog.addEventListener("close", () => dialog.remove())
  place.append(dialog)
  dialog.showModal()
}

function sectionOf(title, keys) {
  const section = element("section")
  const table = element("table")
  for (const [key, does] of keys) {
    const row = table.insertRow()
    const name = element("th", "", key)
    name.scope = "row"
    row.append(name)
    row.insertCell().textContent = does
  }
  section.append(element("h3", "", title), table)
  return section
}

