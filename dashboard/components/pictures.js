// Pictures in memory, 16 bit, at several resolutions, shaded only as finely as they are shown; and the tiles of a
// view's full resolution. pixels.js stands before this file. All lengths are in pixels of the stored image.
const TILE = 512
const PICTURES_KEPT = 40
const TILES_KEPT = 96
const TILES_WAITING = 48
const TILES_AT_ONCE = 4
const COARSEST = 4

// A picture of `columns` x `rows` stored pixels. `levelAt(n)` gives its values at 1/2^n of its finest resolution.
class Picture {
  constructor({ columns, rows, presets, finest, levelAt }) {
    Object.assign(this, { columns, rows, presets, finest, levels: [], levelAt })
  }

  // The coarsest level that still has a pixel for every pixel of the screen; `k` is screen pixels a stored pixel.
  levelFor(k) {
    let density = this.finest
    let level = 0
    while (level < COARSEST && density / 2 >= k) { density /= 2; level++ }
    return level
  }

  level(index) {
    return (this.levels[index] ??= this.levelAt(index))
  }

  shaded(index, window, invert) {
    return shadedCanvas(this.level(index), window, invert)
  }

  draw(context, k, window, invert) {
    const index = this.levelFor(k)
    const canvas = this.shaded(index, window, invert)
    const wide = (1 / this.finest) * 2 ** index
    context.drawImage(canvas, 0, 0, canvas.width * wide, canvas.height * wide)
  }
}

function shadedCanvas(level, window, invert) {
  const look = `${window.center} ${window.width} ${invert}`
  if (level.look !== look) {
    level.canvas ??= Object.assign(element("canvas"), { width: level.columns, height: level.rows })
    level.image ??= new ImageData(level.columns, level.rows)
    shade(level, window, invert, (level.words ??= new Uint32Array(level.image.data.buffer)))
    level.canvas.getContext("2d").putImageData(level.image, 0, 0)
    level.look = look
  }
  return level.canvas
}

function halved({ values, columns, rows }) {
  const [wide, high] = [Math.max(1, columns >> 1), Math.max(1, rows >> 1)]
  const right = columns > 1 ? 1 : 0
  const below = rows > 1 ? columns : 0
  const half = new Uint16Array(wide * high)
  for (let y = 0, at = 0; y < high; y++) {
    for (let x = 0, from = 2 * y * columns; x < wide; x++, from += 2) {
      half[at++] = (values[from] + values[from + right] + values[from + below] + values[from + below + right] + 2) >> 2
    }
  }
  return { values: half, columns: wide, rows: high }
}

// Halves what stands before: levels of a picture of which only the finest is there.
function pyramid(finest) {
  const levels = [finest]
  return (index) => {
    while (levels.length <= index) levels.push(halved(levels.at(-1)))
    return levels[index]
  }
}

const pictures = new Map() // SOP UID -> { promise, picture once it is there }; the last few are kept when the visit changes

function load(uid) {
  const kept = pictures.get(uid)
  if (kept) {
    pictures.delete(uid)
    pictures.set(uid, kept) // used last, forgotten last
    return kept
  }
  const entry = { picture: null }
  entry.promise = fetchRendition(`/img/${encodeURIComponent(uid)}`, {
    404: "This view is not in the image store. Tell your admin.",
  }).then((view) => (entry.picture = pictureOf(view)))
  entry.promise.catch(() => pictures.delete(uid))
  pictures.set(uid, entry)
  while (pictures.size > PICTURES_KEPT) pictures.delete(pictures.keys().next().value)
  return entry
}

// `presets` are those of the picture that it belongs to, where it is a frame of several.
function pictureOf(view, presets = presetsOf(view)) {
  const picture = new Picture({
    columns: view.source_columns,
    rows: view.source_rows,
    presets,
    finest: view.columns / view.source_columns,
    levelAt: pyramid(view),
  })
  return Object.assign(picture, { frames: view.frames ?? 1, frame: view.frame ?? 1 })
}

// Tiles of the stored pixels themselves, asked for where the screen has more pixels than the rendition.
const tiles = new Map() // "uid level x y" -> tile, or null while it is on its way or where it could not be had
const wanted = []
let underway = 0
const told = new Map() // SOP UID -> why its full resolution cannot be had

function tileOf(uid, level, x, y, arrived) {
  const name = `${uid} ${level} ${x} ${y}`
  const tile = tiles.get(name)
  if (tile) {
    tiles.delete(name)
    tiles.set(name, tile) // seen last, forgotten last
  }
  if (tiles.has(name) || told.has(uid)) return tile ?? null
  tiles.set(name, null)
  if (wanted.length >= TILES_WAITING) tiles.delete(wanted.shift().name) // passed by: asked for again where it is seen again
  wanted.push({ name, uid, address: `/tile/${encodeURIComponent(uid)}/${level}/${x}/${y}`, arrived })
  askForTiles()
  return null
}

function askForTiles() {
  while (underway < TILES_AT_ONCE && wanted.length) {
    const { name, uid, address, arrived } = wanted.pop() // what is looked at now stands last
    underway++
    fetchPixels(address).then((tile) => {
      tiles.set(name, tile)
      while (tiles.size > TILES_KEPT) tiles.delete(tiles.keys().next().value)
    }).catch((error) => {
      tiles.delete(name)
      told.set(uid, error.message)
    }).finally(() => { underway--; arrived(); askForTiles() })
  }
}

// Draws the tiles that lie in the part `seen` of a view; returns whether all of them are there.
function drawTiles(context, uid, spec, k, seen, window, invert, arrived) {
  const level = k <= 0.5 ? 1 : 0
  const size = TILE * 2 ** level
  let whole = !told.has(uid)
  const last = [Math.ceil(spec.columns / size) - 1, Math.ceil(spec.rows / size) - 1]
  for (let y = Math.max(0, Math.floor(seen.top / size)); y <= Math.min(last[1], Math.floor(seen.bottom / size)); y++) {
    for (let x = Math.max(0, Math.floor(seen.left / size)); x <= Math.min(last[0], Math.floor(seen.right / size)); x++) {
      const tile = tileOf(uid, level, x, y, arrived)
      if (!tile) { whole = false; continue }
      const canvas = shadedCanvas(tile, window, invert)
      context.drawImage(canvas, x * size, y * size, canvas.width * 2 ** level, canvas.height * 2 ** level)
    }
  }
  return whole
}

