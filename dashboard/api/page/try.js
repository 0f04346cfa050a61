// The page to try the API: a list of calls from the OpenAPI description, a form for each, and what it answered.
// All text goes in as text: nothing of an answer is ever read as HTML.
"use strict";

const state = { description: null, token: null, calls: [], chosen: null };

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function plain(words) {
  return words.replaceAll("`", "");
}

function resolved(schema) {
  if (schema && schema.$ref) {
    const name = schema.$ref.split("/").pop();
    return state.description.components.schemas[name] || {};
  }
  if (schema && schema.anyOf) return { ...schema, ...resolved(schema.anyOf.find((one) => one.type !== "null") || {}) };
  return schema || {};
}

function exampleOf(schema) {
  const said = resolved(schema);
  if (said.examples && said.examples.length) return said.examples[0];
  if (said.default !== undefined) return said.default;
  if (said.enum) return said.enum[0];
  if (said.type === "object") {
    const needed = said.required || [];
    return Object.fromEntries(needed.map((name) => [name, exampleOf((said.properties || {})[name])]));
  }
  if (said.type === "array") return [];
  if (said.type === "integer" || said.type === "number") return said.minimum || 0;
  if (said.format === "date") return new Date().toISOString().slice(0, 10);
  return said.type === "boolean" ? false : "";
}

async function makeToken() {
  const answer = await fetch("/api/v1/docs/token", { method: "POST", headers: { "X-Longview-Try": "1" } });
  const beside = document.getElementById("beside");
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    beside.textContent = said.detail || said.error || "No token was made. Sign in again.";
    return;
  }
  const told = await answer.json();
  state.token = told.token;
  const until = new Date(told.until).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  beside.textContent = `This page's token is valid until ${until}. It is shown nowhere and goes with the page.`;
  document.getElementById("token").textContent = "Make another token";
  document.querySelectorAll("button.send").forEach((button) => (button.disabled = false));
  document.querySelectorAll(".needs-token").forEach((note) => note.remove());
}

function listed() {
  const wanted = document.getElementById("find").value.trim().toLowerCase();
  const place = document.getElementById("calls");
  place.replaceChildren();
  let heading = null;
  for (const call of state.calls) {
    if (wanted && !`${call.method} ${call.path} ${call.summary}`.toLowerCase().includes(wanted)) continue;
    if (call.tag !== heading) {
      heading = call.tag;
      place.append(made("h2", { textContent: heading }));
    }
    const button = made(
      "button",
      { type: "button", title: call.summary },
      made("span", { className: "method", textContent: call.method }),
      made("span", { textContent: call.path.replace(/^\/api\/v1/, "") })
    );
    button.setAttribute("aria-current", String(call === state.chosen));
    button.addEventListener("click", () => show(call));
    place.append(button);
  }
  if (!place.children.length) place.append(made("p", { className: "muted", textContent: "No call is named so." }));
}

function field(name, schema, { required, description, file }) {
  const said = resolved(schema);
  const label = made("label", {}, `${name}${required ? "" : " "}`);
  if (!required) label.append(made("span", { className: "muted", textContent: "optional" }));
  let input;
  if (file) {
    input = made("input", { type: "file", multiple: said.type === "array" });
  } else if (said.enum) {
    input = made("select", {}, ...(required ? [] : [made("option", { value: "", textContent: "" })]));
    said.enum.forEach((value) => input.append(made("option", { value, textContent: value })));
  } else if (said.type === "boolean") {
    input = made("select", {}, ...["", "true", "false"].map((value) => made("option", { value, textContent: value })));
  } else {
    input = made("input", { type: said.format === "date" ? "date" : "text" });
    if (required) input.value = exampleOf(schema);
  }
  input.id = `field-${name}`;
  label.htmlFor = input.id;
  const words = description || said.description;
  const parts = [label, input];
  if (words) parts.push(made("p", { className: "muted", textContent: plain(words) }));
  return { name, input, file, parts };
}

function show(call) {
  state.chosen = call;
  listed();
  const place = document.getElementById("call");
  const fields = call.operation.parameters || [];
  const inputs = fields.map((one) => ({ where: one.in, ...field(one.name, one.schema, one) }));
  const content = (call.operation.requestBody || {}).content || {};
  const kind = Object.keys(content)[0];
  let body = null;
  const form = [];
  if (kind === "application/json") {
    body = made("textarea", { id: "body", spellcheck: false });
    body.value = JSON.stringify((content[kind].examples && Object.values(content[kind].examples)[0].value) ?? exampleOf(content[kind].schema), null, 2);
  } else if (kind) {
    const schema = resolved(content[kind].schema);
    for (const [name, said] of Object.entries(schema.properties || {})) {
      const inner = resolved(said.items || said);
      const file = inner.format === "binary" || inner.contentMediaType === "application/octet-stream";
      form.push(field(name, said, { required: (schema.required || []).includes(name), file }));
    }
  }
  const send = made("button", { className: "act send", type: "submit", textContent: "Send", disabled: !state.token });
  const sheet = made("form", {}, ...inputs.flatMap((one) => one.parts));
  if (body) sheet.append(made("label", { htmlFor: "body", textContent: "Body (JSON)" }), made("br"), body);
  sheet.append(...form.flatMap((one) => one.parts), made("div", {}, send));
  const answer = made("div");
  sheet.addEventListener("submit", (event) => {
    event.preventDefault();
    sent(call, { inputs, body, form, kind, answer, send });
  });
  place.replaceChildren(
    made("h2", { textContent: `${call.method} ${call.path}` }),
    made("p", { className: "muted", textContent: plain(call.operation.description || call.summary) }),
    ...(state.token ? [] : [made("p", { className: "note needs-token", textContent: "Make the page's token first: the button above. Calls are yours, and stand in the audit trail." })]),
    sheet,
    answer
  );
  place.scrollIntoView({ block: "nearest" });
}

function asked(call, { inputs, body, form, kind }) {
  let path = call.path;
  const query = new URLSearchParams();
  const headers = { Authorization: `Bearer ${state.token}` };
  for (const { name, where, input } of inputs) {
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value && where === "query") query.append(name, input.value);
    else if (input.value && where === "header") headers[name] = input.value;
  }
  const address = path + (String(query) ? `?${query}` : "");
  let sends;
  if (body) {
    headers["Content-Type"] = "application/json";
    sends = body.value;
  } else if (kind === "application/x-www-form-urlencoded") {
    sends = new URLSearchParams();
    form.forEach(({ name, input }) => input.value && sends.append(name, input.value));
  } else if (kind) {
    sends = new FormData();
    for (const { name, input, file } of form) {
      if (file) for (const one of input.files) sends.append(name, one);
      else if (input.value) sends.append(name, input.value);
    }
  }
  return { address, headers, sends };
}

function curl(call, { address, headers, sends }) {
  const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;
  const parts = ["curl", ...(call.method === "GET" ? [] : ["-X", call.method]), quoted(location.origin + address)];
  for (const [name, value] of Object.entries(headers)) {
    parts.push("-H", name === "Authorization" ? '"Authorization: Bearer $TOKEN"' : quoted(`${name}: ${value}`));
  }
  if (sends instanceof FormData) {
    for (const [name, value] of sends) parts.push("-F", quoted(`${name}=${value instanceof File ? `@${value.name}` : value}`));
  } else if (sends) parts.push("--data", quoted(sends));
  return parts.join(" ");
}

async function sent(call, sheet) {
  const { answer, send } = sheet;
  const request = asked(call, sheet);
  send.disabled = true;
  const begun = performance.now();
  try {
    const got = await fetch(request.address, { method: call.method, headers: request.headers, body: request.sends });
    const kind = (got.headers.get("Content-Type") || "").split(";")[0];
    let shown;
    if (kind.startsWith("image/")) {
      shown = made("img", { className: "answer", alt: "The picture that was answered", src: URL.createObjectURL(await got.blob()) });
    } else if (kind.includes("json")) {
      shown = made("pre", { textContent: JSON.stringify(await got.json(), null, 2), tabIndex: 0 });
    } else {
      const bytes = (await got.arrayBuffer()).byteLength;
      shown = made("p", { textContent: bytes ? `${bytes.toLocaleString()} bytes of ${kind}.` : "Nothing, as it should be." });
    }
    const ms = Math.round(performance.now() - begun);
    const told = ["ETag", "Location", "Retry-After", "Idempotency-Replayed"].filter((name) => got.headers.get(name)).map((name) => `${name}: ${got.headers.get(name)}`);
    answer.replaceChildren(
      made("p", { className: `status${got.ok ? "" : " bad"}`, textContent: `${got.status} · ${ms} ms · ${kind || "no body"}` }),
      ...(told.length ? [made("p", { className: "muted", textContent: told.join("   ") })] : []),
      shown,
      made("label", { textContent: "The same from a terminal" }),
      made("pre", { textContent: curl(call, request), tabIndex: 0 })
    );
  } catch (error) {
    answer.replaceChildren(made("p", { className: "status bad", textContent: `It was not answered: ${error.message}` }));
  } finally {
    send.disabled = !state.token;
  }
}

async function begin() {
  document.getElementById("token").addEventListener("click", makeToken);
  document.getElementById("find").addEventListener("input", listed);
  const answer = await fetch("/api/v1/openapi.json");
  if (!answer.ok) {
    document.getElementById("call").replaceChildren(made("p", { className: "note", textContent: "Sign in first, then open this page again." }));
    return;
  }
  state.description = await answer.json();
  for (const [path, methods] of Object.entries(state.description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      state.calls.push({ path, method: method.toUpperCase(), operation, tag: (operation.tags || ["other"])[0], summary: operation.summary || "" });
    }
  }
  const order = [...new Set(state.calls.map((call) => call.tag))];
  state.calls.sort((one, other) => order.indexOf(one.tag) - order.indexOf(other.tag));
  show(state.calls[0]);
}

begin();
