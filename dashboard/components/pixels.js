// Pixels as the server sends them: LVR1 renditions (16 bit, deflated). They stay 16 bit, so that window and level are
// applied here. This file is put before those components' files that show images.
const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}

async function fetchPixels(address, sentences = {}) {
  const answer = await fetch(address, { cache: "no-store" })
  if (!answer.ok) {
    const said = answer.headers.get("content-type")?.startsWith("application/json") ? (await answer.json()).error : null
    throw new Error(said ?? sentences[answer.status] ??
      "This view could not be loaded. Reload the page; if it stays like this, tell your admin.")
  }
  const bytes = await answer.arrayBuffer()
  if (new TextDecoder().decode(bytes.slice(0, 4)) !== "LVR1") throw new Error("This view is stored in an unknown form. Tell your admin.")
  const size = new DataView(bytes).getUint32(4, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, 8 + size)))
  const stream = new Blob([bytes.slice(8 + size)]).stream().pipeThrough(new DecompressionStream("deflate"))
  const values = new Uint16Array(await new Response(stream).arrayBuffer())
  return { ...header, values }
}

async function fetchRendition(address, sentences) {
  const view = await fetchPixels(address, sentences)
  return { ...view, tissue: tissueWindow(view.values) }
}

function tissueWindow(values) {
  // From the 2nd to the 99.5th percentile of what is not air (above 4 % of the brightest value).
  const histogram = new Uint32Array(4096)
  let brightest = 1
  for (let i = 0; i < values.length; i += 7) if (values[i] > brightest) brightest = values[i]
  let counted = 0
  for (let i = 0; i < values.length; i += 7) {
    const v = values[i]
    if (v > 0.04 * brightest) { histogram[Math.min(4095, Math.floor((v / brightest) * 4095))]++; counted++ }
  }
  const at = (fraction) => {
    let sum = 0
    for (let i = 0; i < 4096; i++) { sum += histogram[i]; if (sum >= fraction * counted) return (i / 4095) * brightest }
    return brightest
  }
  const [low, high] = [at(0.02), at(0.995)]
  return { center: (low + high) / 2, width: Math.max(1, high - low) }
}

function presetsOf(view) {
  const full = { center: (2 ** view.bits - 1) / 2, width: 2 ** view.bits - 1 }
  const recorded = view.window_center !== null && view.window_width ?
    { center: view.window_center, width: view.window_width } : view.tissue
  return { 1: recorded, 2: view.tissue, 3: full }
}

const tables = new Map() // the greys of the last few windows, for every value

function greysOf({ center, width }, invert) {
  const name = `${center} ${width} ${invert}`
  if (!tables.has(name)) {
    tables.set(name, makeGreys(center, width, invert))
    if (tables.size > 24) tables.delete(tables.keys().next().value)
  }
  return tables.get(name)
}

function makeGreys(center, width, invert) {
  const low = center - width / 2
  const table = new Uint32Array(65536)
  for (let v = 0; v < 65536; v++) {
    let grey = Math.round(((v - low) / width) * 255)
    grey = grey < 0 ? 0 : grey > 255 ? 255 : grey
    if (invert) grey = 255 - grey
    table[v] = 0xff000000 | (grey << 16) | (grey << 8) | grey
  }
  return table
}

function shade({ values }, window, invert, words) {
  const table = greysOf(window, invert)
  for (let i = 0; i < values.length; i++) words[i] = table[values[i]]
}

function scaleBar(place, pixelsPerMm) {
  place.replaceChildren()
  if (!pixelsPerMm) {
    place.textContent = "no scale: pixel size not recorded"
    return
  }
  const length = [1, 2, 5, 10, 20, 50, 100].find((mm) => mm * pixelsPerMm >= 48) ?? 100
  const bar = element("i")
  bar.style.width = `${length * pixelsPerMm}px`
  place.append(bar, `${length} mm`)
}

