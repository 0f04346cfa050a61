// Pixels as the server sends them: LVR1 renditions (16 bit, deflated). They stay 16 bit, so that window and level are
// applied here. This file is put before those components' files that show images.
const element = (name, cls, text) => {
  const made = document.createElement(name)
  if (cls) made.className = cls
  if (text !== undefined) made.textContent = text
  return made
}

// Fetches and unpacks one address: it runs in a worker, so its address is whole, and it knows nothing of this file but tissueWindow.
async function unpack(address, sentences, ofTissue) {
  const answer = await fetch(address, { cache: "no-store" })
  if (!answer.ok) {
    const said = answer.headers.get("content-type")?.startsWith("application/json") ? (await answer.json()).error : null
    throw new Error(said ?? sentences[answer.status] ??
      "This view could not be loaded. Reload the page; if it stays like this, tell your admin.")
  }
  const bytes = new Uint8Array(await answer.arrayBuffer())
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== "LVR1") throw new Error("This view is stored in an unknown form. Tell your admin.")
  const size = new DataView(bytes.buffer).getUint32(4, true)
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)))
  const stream = new DecompressionStream("deflate")
  const into = stream.writable.getWriter()
  // What is wrong with them is told where they are read.
  into.write(bytes.subarray(8 + size)).catch(() => {})
  into.close().catch(() => {})
  const values = new Uint16Array(await new Response(stream.readable).arrayBuffer())
  return { ...header, values, ...(ofTissue ? { tissue: tissueWindow(values) } : {}) }
}

const WORKERS = 2
const WORK = `
onmessage = async ({ data: { number, address, sentences, ofTissue } }) => {
  try {
    const view = await unpack(address, sentences, ofTissue)
    postMessage({ number, view }, [view.values.buffer])
  } catch (error) {
    postMessage({ number, error: error.message })
  }
}`

// A film is 4 MB to unpack: workers do it, while the page goes on being drawn. All parts of the page share them.
class Unpackers {
  constructor() {
    this.waiting = new Map()
    this.number = 0
    const source = URL.createObjectURL(new Blob([unpack, "\n", tissueWindow, WORK], { type: "text/javascript" }))
    this.workers = Array.from({ length: WORKERS }, () => {
      const worker = new Worker(source)
      worker.onmessage = ({ data: { number, view, error } }) => {
        const { done, failed } = this.waiting.get(number)
        this.waiting.delete(number)
        error === undefined ? done(view) : failed(new Error(error))
      }
      worker.onerror = () => this.giveUp()
      return worker
    })
  }

  // A browser that starts none does it all on the page.
  giveUp() {
    this.workers = []
    for (const { asked, done, failed } of this.waiting.values()) unpack(...asked).then(done, failed)
    this.waiting.clear()
  }

  ask(...asked) {
    if (!this.workers.length) return unpack(...asked)
    const number = this.number++
    const [address, sentences, ofTissue] = asked
    return new Promise((done, failed) => {
      this.waiting.set(number, { asked, done, failed })
      this.workers[number % this.workers.length].postMessage({ number, address, sentences, ofTissue })
    })
  }
}

function unpacked(address, sentences, ofTissue) {
  window.longviewUnpackers ??= new Unpackers()
  return window.longviewUnpackers.ask(new URL(address, location.href).href, sentences, ofTissue)
}

function fetchPixels(address, sentences = {}) {
  return unpacked(address, sentences, false)
}

function fetchRendition(address, sentences = {}) {
  const early = ahead.get(address)
  ahead.delete(address)
  const asked = () => unpacked(address, sentences, true)
  return early ? early.catch(asked) : asked()
}

// What the next page will show, asked for while that page is on its way: each part of a page has a memory of its own.
const AHEAD_KEPT = 8
const ahead = (window.longviewAhead ??= new Map()) // address -> promise of a rendition

function fetchAhead(address) {
  if (ahead.has(address)) return
  const asked = unpacked(address, {}, true)
  asked.catch(() => {}) // whoever shows it asks again, and tells
  ahead.set(address, asked)
  while (ahead.size > AHEAD_KEPT) ahead.delete(ahead.keys().next().value)
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

