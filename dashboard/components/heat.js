// Where the model looked, laid over a picture: values and the part of the image that they cover, as the server says them.
function heatCanvas({ shape: [rows, columns], corners, values }) {
  const bytes = Uint8Array.from(atob(values), (c) => c.charCodeAt(0))
  const made = element("canvas")
  made.width = columns
  made.height = rows
  const image = new ImageData(columns, rows)
  for (let i = 0; i < bytes.length; i++) image.data.set(heatColour(bytes[i] / 255), 4 * i)
  made.getContext("2d").putImageData(image, 0, 0)
  return { picture: made, corners, top: Math.max(...bytes) / 255 }
}

// From amber to pale yellow, and more opaque the hotter: faint warmth does not veil the tissue.
function heatColour(v) {
  return [235, 120 + 115 * v, 20 + 120 * v * v, 255 * Math.min(0.8, Math.max(0, 1.25 * (v - HEAT_LEAST)))]
}

const HEAT_LEAST = 0.08 // below it nothing is drawn
const HEATS_KEPT = 24
const heats = new Map() // SOP UID -> { heat once it is there, said: why there is none }; only of the visits that are open

// What is known now of where the model looked in a view; `arrived` is called when more is known.
function heatOf(uid, arrived) {
  const kept = heats.get(uid)
  if (kept) return kept
  const entry = { heat: null, said: "heat map being loaded …" }
  heats.set(uid, entry)
  while (heats.size > HEATS_KEPT) heats.delete(heats.keys().next().value)
  fetch(`/heatmap/${encodeURIComponent(uid)}`, { cache: "no-store" })
    .then(async (answer) => {
      const said = await answer.json()
      if (!answer.ok) throw new Error(said.error)
      entry.heat = heatCanvas(said)
      entry.said = entry.heat.top < HEAT_LEAST ? "heat map: nothing stands out" : "heat map"
    })
    .catch((error) => { entry.said = error.message || "The heat map could not be loaded." })
    .then(arrived)
  return entry
}

// The context is in the frame of the stored image.
function drawHeat(context, { picture, corners: [x0, y0, x1, y1] }) {
  context.save()
  context.imageSmoothingEnabled = true
  context.imageSmoothingQuality = "high"
  context.translate(x0, y0)
  context.scale((x1 - x0) / picture.width, (y1 - y0) / picture.height)
  context.drawImage(picture, 0, 0)
  context.restore()
}

// What its colours mean, in words and as a scale.
function heatLegend() {
  const legend = element("div", "heat-legend")
  const scale = element("i")
  const stops = [0.2, 0.4, 0.6, 0.8, 1].map((v) => {
    const [r, g, b, a] = heatColour(v)
    return `rgba(${r}, ${g}, ${b}, ${a / 255})`
  })
  scale.style.background = `linear-gradient(to right, ${stops.join(", ")}), #3A3F46`
  legend.append(element("b", "", "Heat map"), "where the model looked for signs of cancer", element("span", "", "little"), scale, element("span", "", "much"), element("span", "", "No finding, and no outline of one."))
  return legend
}
