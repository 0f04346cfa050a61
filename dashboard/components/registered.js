// The prior brought into the frame of the current view, by the registration that the server gives, or without one by
// chest wall and millimetres; and the difference of the two. pictures.js stands before this file.
// Points are told in pixels of the stored image, 0 at the left (upper) edge of the first one.
const registrations = new Map() // "prior current" -> { said, registered, grid, promise }
const brought = new Map() // "prior current kind registered" -> Picture
const BROUGHT_KEPT = 16

// What is known now of where the current's pixels lie in the prior; `arrived` is called when more is known.
function registration(prior, current, arrived) {
  const name = `${prior.sop_uid} ${current.sop_uid}`
  let known = registrations.get(name)
  if (!known) {
    known = { registered: false, said: "being registered …", grid: plainGrid(prior, current), settled: false }
    registrations.set(name, known)
    known.promise = fetch(`/registration/${encodeURIComponent(prior.sop_uid)}/${encodeURIComponent(current.sop_uid)}`, { cache: "no-store" })
      .then((answer) => (answer.ok ? answer.json() : null))
      .catch(() => null)
      .then((found) => {
        const good = found && found.usable && found.grid
        Object.assign(known, good ? { registered: true, grid: found.grid } : {}, {
          settled: true,
          said: good ? "registered" : found ? `not registered: ${found.said}` : "not registered",
        })
      })
  }
  if (!known.settled) known.promise.then(arrived)
  return known
}

// Without a registration: chest wall on chest wall, middle on middle, millimetre on millimetre where both sizes are known.
function plainGrid(prior, current) {
  const sized = prior.spacing_mm && current.spacing_mm
  const scale = sized ? current.spacing_mm / prior.spacing_mm : prior.rows / current.rows
  const fromWall = (spec, x) => ((spec.side === "right") !== spec.flipped ? spec.columns - x : x)
  const x = [0, current.columns].map((at) => fromWall(prior, fromWall(current, at) * scale))
  const y = [0, current.rows].map((at) => prior.rows / 2 + (at - current.rows / 2) * scale)
  return { columns: 2, rows: 2, x: [x[0], x[1], x[0], x[1]], y: [y[0], y[0], y[1], y[1]] }
}

// Where a point of the current view lies in the prior.
function toPrior(grid, current, x, y) {
  const u = Math.min(grid.columns - 1.000001, Math.max(0, (x / current.columns) * (grid.columns - 1)))
  const v = Math.min(grid.rows - 1.000001, Math.max(0, (y / current.rows) * (grid.rows - 1)))
  const [i, j] = [Math.floor(u), Math.floor(v)]
  const [a, b] = [u - i, v - j]
  const at = j * grid.columns + i
  const mix = (of) => (of[at] * (1 - a) + of[at + 1] * a) * (1 - b) + (of[at + grid.columns] * (1 - a) + of[at + grid.columns + 1] * a) * b
  return [mix(grid.x), mix(grid.y)]
}

// Where a point of the prior lies in the current view: the nearest node first, then by steps towards it.
function toCurrent(grid, current, x, y) {
  let [best, far] = [0, Infinity]
  for (let node = 0; node < grid.x.length; node++) {
    const away = (grid.x[node] - x) ** 2 + (grid.y[node] - y) ** 2
    if (away < far) [best, far] = [node, away]
  }
  let cx = ((best % grid.columns) / (grid.columns - 1)) * current.columns
  let cy = (Math.floor(best / grid.columns) / (grid.rows - 1)) * current.rows
  for (let step = 0; step < 8; step++) {
    const [px, py] = toPrior(grid, current, cx, cy)
    const [xx, xy] = toPrior(grid, current, cx + 1, cy)
    const [yx, yy] = toPrior(grid, current, cx, cy + 1)
    const [a, b, c, d] = [xx - px, yx - px, xy - py, yy - py]
    const area = a * d - b * c
    if (Math.abs(area) < 1e-9) break
    cx = Math.min(current.columns - 1, Math.max(0, cx + (d * (x - px) - b * (y - py)) / area))
    cy = Math.min(current.rows - 1, Math.max(0, cy + (a * (y - py) - c * (x - px)) / area))
  }
  return [cx, cy]
}

// The prior's values in the current's frame, at the resolution of the current's level.
function warpedLevel(priorPicture, currentPicture, grid, index) {
  const frame = currentPicture.level(index)
  const step = 2 ** index / currentPicture.finest
  const source = priorPicture.level(index)
  const density = priorPicture.finest / 2 ** index
  const values = new Uint16Array(frame.columns * frame.rows)
  const { columns: wide, rows: high, values: from } = source
  const size = { columns: currentPicture.columns, rows: currentPicture.rows }
  const nodes = grid.columns - 1
  for (let y = 0, at = 0; y < frame.rows; y++) {
    const sy = (y + 0.5) * step
    // Along a row the way through a cell is straight: two points a cell are enough.
    const marks = Array.from({ length: nodes + 1 }, (_, i) => toPrior(grid, size, (i / nodes) * size.columns, sy))
    for (let x = 0; x < frame.columns; x++, at++) {
      const u = Math.min(nodes - 1e-6, (((x + 0.5) * step) / size.columns) * nodes)
      const i = u | 0
      const part = u - i
      const px = (marks[i][0] + (marks[i + 1][0] - marks[i][0]) * part) * density - 0.5
      const py = (marks[i][1] + (marks[i + 1][1] - marks[i][1]) * part) * density - 0.5
      if (px <= -0.5 || py <= -0.5 || px >= wide - 0.5 || py >= high - 0.5) continue
      const x0 = px < 0 ? 0 : px | 0
      const y0 = py < 0 ? 0 : py | 0
      const x1 = x0 + 1 < wide ? x0 + 1 : x0
      const y1 = y0 + 1 < high ? y0 + 1 : y0
      const fx = px < 0 ? 0 : px - x0
      const fy = py < 0 ? 0 : py - y0
      const top = from[y0 * wide + x0] * (1 - fx) + from[y0 * wide + x1] * fx
      const bottom = from[y1 * wide + x0] * (1 - fx) + from[y1 * wide + x1] * fx
      values[at] = top * (1 - fy) + bottom * fy + 0.5
    }
  }
  return { values, columns: frame.columns, rows: frame.rows }
}

const MIDDLE = 32768
const GREY_STEP = 64 // a grey of 256 in the values of a difference

// Current less prior in greys, the prior's brought to the current's mean and spread in the breast: other tubes, other films.
function differenceLevel(currentPicture, warped, index) {
  const now = currentPicture.level(index)
  const then = warped.level(index)
  const values = new Uint16Array(now.values.length).fill(MIDDLE)
  const grey = (picture) => {
    const { center, width } = picture.presets[1]
    const low = center - width / 2
    return (value) => Math.min(255, Math.max(0, ((value - low) / width) * 255))
  }
  const [greyNow, greyThen] = [grey(currentPicture), grey(warped)]
  let [n, sumNow, sumThen, squareNow, squareThen] = [0, 0, 0, 0, 0]
  for (let at = 0; at < values.length; at += 3) {
    const [a, b] = [greyNow(now.values[at]), greyThen(then.values[at])]
    if (a < 12 || b < 12) continue
    n++; sumNow += a; sumThen += b; squareNow += a * a; squareThen += b * b
  }
  if (!n) return { values, columns: now.columns, rows: now.rows }
  const [meanNow, meanThen] = [sumNow / n, sumThen / n]
  const spread = Math.sqrt(Math.max(1, squareNow / n - meanNow ** 2) / Math.max(1, squareThen / n - meanThen ** 2))
  for (let at = 0; at < values.length; at++) {
    const [a, b] = [greyNow(now.values[at]), greyThen(then.values[at])]
    if (a < 12 && b < 12) values[at] = 0 // air on both
    if (a < 12 || b < 12) continue
    values[at] = MIDDLE + GREY_STEP * (a - meanNow - (b - meanThen) * spread)
  }
  return { values, columns: now.columns, rows: now.rows }
}

// The prior in the current's frame, or the difference; null until both pictures are there.
function broughtOver(kind, prior, current, known) {
  const [then, now] = [load(prior.sop_uid).picture, load(current.sop_uid).picture]
  if (!then || !now) return null
  const name = `${prior.sop_uid} ${current.sop_uid} ${kind} ${known.registered}`
  if (!brought.has(name)) {
    const warped = kind === "prior" ? null : broughtOver("prior", prior, current, known)
    const window = { center: MIDDLE, width: 2 * 96 * GREY_STEP }
    brought.set(name, new Picture({
      columns: now.columns,
      rows: now.rows,
      presets: kind === "prior" ? then.presets : { 1: window, 2: window, 3: window },
      finest: kind === "prior" ? now.finest : now.finest / 2, // single pixels of two films differ by their grain
      levelAt: kind === "prior" ? (index) => warpedLevel(then, now, known.grid, index)
        : (index) => differenceLevel(now, warped, index + 1),
    }))
    while (brought.size > BROUGHT_KEPT) brought.delete(brought.keys().next().value)
  }
  return brought.get(name)
}

