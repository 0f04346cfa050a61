// A woman's visits as thumbnails; a click chooses the visit everywhere on the page.
const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".strip")
  if (!root) {
    root = element("div", "strip")
    root.setAttribute("role", "listbox")
    root.setAttribute("aria-label", "Visits")
    parentElement.append(root)
  }
  root.replaceChildren(...data.visits.map((visit) => {
    const button = element("button", visit.uid === data.chosen ? "chosen" : "")
    button.setAttribute("role", "option")
    button.setAttribute("aria-selected", String(visit.uid === data.chosen))
    button.dataset.date = visit.on
    button.title = visit.step_hint ? `${visit.hint}, ${visit.step_hint}` : visit.hint
    const pair = element("div", "pair")
    for (const side of ["right", "left"]) {
      const view = visit.thumbs[side]
      if (view) {
        const picture = element("img", side + (view.flipped ? " flipped" : ""))
        picture.src = `/thumb/${encodeURIComponent(view.sop_uid)}`
        picture.alt = view.label
        picture.loading = "lazy"
        pair.append(picture)
      } else {
        pair.append(element("span", "", `${side} not taken`))
      }
    }
    const first = element("div", "line")
    const risk = element("span", visit.told ? "" : "untold", visit.risk)
    if (visit.step) {
      const step = element("i", visit.step === "≈" ? "noise" : "", visit.step)
      step.title = visit.step_hint
      risk.prepend(step, " ")
    }
    first.append(element("b", "", visit.on), risk)
    const second = element("div", "line second")
    second.append(element("span", visit.warns ? "status" : "", visit.note), element("span", "", visit.bi_rads))
    button.append(pair, first, second)
    button.addEventListener("click", () => setTriggerValue("choose", visit.uid))
    return button
  }))
  // Sideways within the strip only: the page itself must open at the woman's name.
  const chosen = root.querySelector(".chosen")
  if (chosen) {
    const strip = chosen.parentElement
    const [inner, outer] = [chosen.getBoundingClientRect(), strip.getBoundingClientRect()]
    strip.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2
  }
}
