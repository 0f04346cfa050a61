// Buttons that hand a figure of the page out as a picture, PNG or SVG, with its question, who is counted, and what it is.
// The library that draws is the installation's own; it is fetched when the first picture is asked for.
const WIDTH = 1000, SIDE = 24, LINE = 17, LETTERS = 140
const LIBRARY = "/plotly.js"

const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}

let library
function drawing() {
  library ??= new Promise((ready, failed) => {
    const script = element("script")
    script.src = LIBRARY
    script.onload = () => ready(window.Plotly)
    script.onerror = () => {
      library = undefined
      script.remove()
      failed(new Error("The picture could not be made. Check the connection, or sign in again, and try once more."))
    }
    document.head.append(script)
  })
  return library
}

function lines(words, most = LETTERS) {
  const found = [""]
  for (const word of words.split(/\s+/)) {
    const last = found[found.length - 1]
    if (last && last.length + word.length >= most) found.push(word)
    else found[found.length - 1] = last ? `${last} ${word}` : word
  }
  return found
}

const safe = (words) => words.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")
const block = (rows) => rows.map(safe).join("<br>")

// The figure as it stands on the page, with room for words above and beneath.
function captioned(drawn, data) {
  const layout = structuredClone(drawn.layout)
  const margin = { l: 56, r: 16, t: 8, b: 40, ...layout.margin }
  const height = layout.height ?? drawn.clientHeight ?? 360
  const title = lines(data.question, 90), counted = lines(data.counted), beneath = lines(data.beneath, 160)
  const above = 16 + 24 * title.length + LINE * counted.length + 12
  const below = LINE * beneath.length + 20
  layout.width = WIDTH
  layout.height = height + above + below
  layout.autosize = false
  layout.margin = { ...margin, l: margin.l + 8, t: margin.t + above, b: margin.b + below, autoexpand: layout.margin?.autoexpand }
  layout.paper_bgcolor = layout.plot_bgcolor = "#FFFFFF"
  const left = { xref: "paper", x: 0, xanchor: "left", xshift: SIDE - layout.margin.l, align: "left", showarrow: false }
  const ink = layout.font?.color ?? "#1F2937", family = layout.font?.family
  layout.annotations = [
    ...(layout.annotations ?? []),
    { ...left, yref: "paper", y: 1, yanchor: "top", yshift: layout.margin.t - 12, text: `<b>${block(title)}</b>`, font: { family, size: 17, color: ink } },
    { ...left, yref: "paper", y: 1, yanchor: "top", yshift: layout.margin.t - 16 - 24 * title.length, text: block(counted), font: { family, size: 13, color: "#5B6675" } },
    { ...left, yref: "paper", y: 0, yanchor: "bottom", yshift: -layout.margin.b + 8, text: block(beneath), font: { family, size: 12, color: "#5B6675" } },
  ]
  return { data: structuredClone(drawn.data), layout }
}

async function save(root, format) {
  const data = root.data
  const drawn = document.querySelector(`.st-key-${data.figure} .js-plotly-plot`)
  if (!drawn?.layout) throw new Error("The figure is not drawn yet. Wait a moment, then try again.")
  const plotly = await drawing()
  const figure = captioned(drawn, data)
  const picture = await plotly.toImage(figure, { format, width: WIDTH, height: figure.layout.height, scale: format === "png" ? 2 : 1 })
  const link = element("a")
  link.href = picture
  link.download = `${data.file}.${format}`
  root.append(link) // a click beside the menu would close it
  link.click()
  link.remove()
}

export default function (component) {
  const { parentElement: parent, data } = component
  let root = parent.querySelector(".picture-buttons")
  if (!root) {
    root = element("div", "picture-buttons")
    const said = element("p", "picture-said")
    said.setAttribute("role", "status")
    for (const [format, label] of [["png", "Picture as PNG"], ["svg", "Picture as SVG"]]) {
      const button = element("button", "", label)
      button.type = "button"
      button.addEventListener("click", async () => {
        button.disabled = true
        said.textContent = "Drawing the picture …"
        try {
          await save(root, format)
          said.textContent = ""
        } catch (error) {
          said.textContent = error.message
        }
        button.disabled = false
      })
      root.append(button)
    }
    root.append(said)
    parent.append(root)
  }
  root.data = data
}
