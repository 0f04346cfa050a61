// The sheet of a component's keys, laid over it and taken away again. pixels.js stands before this file.
function toggleKeys(place, keys) {
  const open = place.querySelector(".keys")
  if (open) {
    open.remove()
    return
  }
  const sheet = element("div", "keys")
  const table = element("table")
  for (const [key, does] of keys) {
    const row = table.insertRow()
    row.insertCell().textContent = key
    row.insertCell().textContent = does
  }
  sheet.append(table)
  sheet.addEventListener("click", () => sheet.remove())
  place.append(sheet)
}

