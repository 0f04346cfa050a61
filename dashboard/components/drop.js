// Brings files, folders and archives here, three at a time; what breaks off goes on where it stopped (tus.io).
// vendor/tus.min.js and keys.js' maker of elements stand before this file. What is on its way belongs to the browser's
// page, not to this part of it: it goes on while another page of the dashboard is open.
const AT_ONCE = 3
const PART = 32 * 2 ** 20 // proxies let so much through in one request
const AGAIN_AFTER = [0, 1000, 2000, 5000, 10000, 15000, 20000, 30000, 30000, 30000, 60000, 60000]
const TELL_MS = 700
const way = (window.longviewArriving ??= { files: new Map(), running: new Set(), paused: false, heard: null, kept: new Map(), user: null })

const made = (name, cls, text) => {
  const one = document.createElement(name)
  if (cls) one.className = cls
  if (text !== undefined) one.textContent = text
  return one
}
const idOf = (name, size, modified) => `${name}|${size}|${modified}`
const hidden = (path) => path.split("/").some((part) => part === "__MACOSX" || (part.startsWith(".") && part !== ".."))
const megabytes = (bytes) => (bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`)

function add(found) {
  for (const { file, path } of found) {
    if (hidden(path)) continue
    const id = idOf(path, file.size, file.lastModified)
    const known = way.files.get(id)
    if (known && known.state !== "failed") continue
    const kept = way.kept.get(id)
    const whole = kept && kept.arrived === kept.size
    way.files.set(id, { file, path, id, state: whole ? "here" : "waits", sent: kept?.arrived ?? 0, url: kept ? `/arrive/${kept.key}` : null })
  }
  next()
  tell()
}

function next() {
  for (const one of way.files.values()) {
    if (way.paused || way.running.size >= AT_ONCE) break
    if (one.state === "waits") begin(one)
  }
  way.draw?.()
}

function begin(one) {
  one.state = "goes"
  one.upload = new tus.Upload(one.file, {
    endpoint: "/arrive",
    uploadUrl: one.url,
    chunkSize: PART,
    retryDelays: AGAIN_AFTER,
    storeFingerprintForResuming: false, // what is here says so itself, also to another browser
    headers: { "X-Longview-Person": String(way.user) },
    metadata: { filename: one.path, modified: String(one.file.lastModified) },
    onProgress: (sent) => {
      one.sent = sent
      way.draw?.()
    },
    onSuccess: () => ended(one, "here"),
    onError: (error) => {
      one.why = error.originalResponse?.getBody() || "The connection broke, and did not come back."
      ended(one, "failed")
    },
  })
  way.running.add(one)
  one.upload.start()
}

function ended(one, state) {
  one.state = state
  one.url = one.upload.url
  if (state === "here") one.sent = one.file.size
  way.running.delete(one)
  next()
  if (state === "here") tell()
}

function tell() {
  clearTimeout(way.telling)
  way.telling = setTimeout(() => way.heard?.(), way.running.size ? 3 * TELL_MS : TELL_MS)
}

function pause(paused) {
  way.paused = paused
  if (paused) {
    for (const one of way.running) {
      one.upload.abort()
      one.url = one.upload.url
      one.state = "waits"
    }
    way.running.clear()
  }
  next()
}

async function within(entry, path = "") {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject))
    return [{ file, path: path + file.name }]
  }
  const reader = entry.createReader()
  const found = []
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) break
    for (const inner of some) found.push(...(await within(inner, `${path}${entry.name}/`)))
  }
  return found
}

const chosen = (input) => [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))

window.addEventListener("beforeunload", (event) => {
  if (way.running.size) event.preventDefault()
})
window.addEventListener("online", () => {
  for (const one of way.files.values()) if (one.state === "failed") one.state = "waits"
  next()
})

function layout(root) {
  const zone = made("div", "zone")
  const words = made("div", "words")
  words.append(made("b", "", "Drop files, folders or ZIP archives here"),
    made("small", "", "DICOM, PNG and JPEG of as many women and days as you like. They are looked at first; nothing is added before you say so."))
  const files = made("input"), folder = made("input")
  for (const input of [files, folder]) {
    input.type = "file"
    input.multiple = true
    input.tabIndex = -1
    input.addEventListener("change", () => {
      add(chosen(input))
      input.value = ""
    })
  }
  files.ariaLabel = "Files"
  folder.ariaLabel = "Folder"
  folder.webkitdirectory = true
  const button = (text, does) => {
    const one = made("button", "", text)
    one.type = "button"
    one.addEventListener("click", does)
    return one
  }
  zone.append(words, button("Choose files", () => files.click()), button("Choose a folder", () => folder.click()), files, folder)
  zone.addEventListener("dragover", (event) => {
    event.preventDefault()
    zone.classList.add("over")
  })
  zone.addEventListener("dragleave", () => zone.classList.remove("over"))
  zone.addEventListener("drop", async (event) => {
    event.preventDefault()
    zone.classList.remove("over")
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
    for (const entry of entries) add(await within(entry))
  })
  const going = made("div", "going")
  const bar = made("progress"), said = made("span", "said")
  said.setAttribute("role", "status")
  const hold = button("Pause", () => pause(!way.paused))
  going.append(bar, said, hold)
  const failed = made("div", "note failed")
  failed.setAttribute("role", "alert")
  const broken = made("div", "note broken")
  root.append(zone, going, failed, broken)
  root.parts = { going, bar, said, hold, failed, broken, button }
}

function draw(root) {
  const { going, bar, said, hold, failed, broken, button } = root.parts
  const all = [...way.files.values()].filter((one) => one.state !== "failed")
  const here = all.filter((one) => one.state === "here").length
  const size = all.reduce((sum, one) => sum + one.file.size, 0), sent = all.reduce((sum, one) => sum + one.sent, 0)
  going.hidden = here === all.length
  bar.max = size || 1
  bar.value = sent
  said.textContent = `${here} of ${all.length} files · ${megabytes(sent)} of ${megabytes(size)}${way.paused ? " · paused" : navigator.onLine ? "" : " · no connection"}`
  hold.textContent = way.paused ? "Go on" : "Pause"
  const lost = [...way.files.values()].filter((one) => one.state === "failed")
  failed.hidden = !lost.length
  if (lost.length) {
    const list = made("ul")
    for (const one of lost) list.append(made("li", "", `${one.path}: ${one.why}`))
    failed.replaceChildren(made("span", "", `${lost.length} ${lost.length > 1 ? "files are" : "file is"} not here:`), list, button("Try again", () => {
      for (const one of lost) one.state = "waits"
      next()
    }))
  }
  const half = [...way.kept.entries()].filter(([id, one]) => one.arrived < one.size && !way.files.has(id)).map(([, one]) => one)
  broken.hidden = !half.length
  if (half.length) {
    const list = made("ul")
    for (const one of half) list.append(made("li", "", `${one.name}: ${megabytes(one.arrived)} of ${megabytes(one.size)}`))
    broken.replaceChildren(made("span", "", `${half.length} ${half.length > 1 ? "uploads" : "upload"} broke off before. Choose the same files again, and they go on where they stopped:`), list)
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".drop")
  if (!root) {
    root = made("div", "drop")
    parentElement.append(root)
    layout(root)
  }
  if (way.user !== null && way.user !== data.user) {
    // Another person's page now: what was on its way was not hers.
    for (const one of way.running) one.upload.abort()
    way.files.clear()
    way.running.clear()
  }
  way.user = data.user
  way.kept = new Map(data.kept.map((one) => [idOf(one.name, one.size, one.modified), one]))
  // What was answered or discarded is not here any more, and may be chosen again.
  for (const [id, one] of way.files) if (one.state === "here" && one.told && !way.kept.has(id)) way.files.delete(id)
  for (const one of way.files.values()) if (one.state === "here") one.told = way.kept.has(one.id)
  way.heard = () => setTriggerValue("arrived", Date.now())
  way.draw = () => root.isConnected && draw(root)
  draw(root)
}
