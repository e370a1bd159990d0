/* The editor of a message template: previews of every channel while the operator types, and test-sends. */

const form = document.getElementById("template-editor");
const samples = JSON.parse(document.getElementById("te-samples").textContent);
const part = (name) => form.querySelector(`[data-${name}]`);
const payload = form.elements.payload;

const PAUSE_MS = 250;
const TELEGRAM_TAGS = new Set(["B", "I", "U", "S", "CODE", "PRE", "A", "BLOCKQUOTE", "BR"]);

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

async function ask(url, values) {
  const body = new FormData(form);
  body.delete("do");
  for (const [name, value] of Object.entries(values ?? {})) body.set(name, value);
  const answer = await fetch(url, { method: "POST", body, signal: values?.signal });
  return await answered(answer);
}

async function answered(answer) {
  const isJson = answer.headers.get("Content-Type")?.startsWith("application/json");
  const found = isJson ? await answer.json() : { problem: `The server answered ${answer.status}.` };
  if (!answer.ok) throw new Error(found.problem ?? `The server answered ${answer.status}.`);
  return found;
}

/* --- previews ------------------------------------------------------------------------------------- */

/* Only the tags that Telegram shows; everything else becomes its text. */
function telegramNodes(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html").body;
  const copy = (from, into) => {
    for (const node of from.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) into.append(node.data);
      else if (TELEGRAM_TAGS.has(node.tagName)) {
        const element = document.createElement(node.tagName);
        copy(node, element);
        into.append(element);
      } else copy(node, into);
    }
    return into;
  };
  return copy(parsed, document.createDocumentFragment());
}

/* A document of its own: no script runs in it, and it has none of the admin's styles. */
function mailFrame(html) {
  const frame = make("iframe", "te-mail");
  frame.title = "The e-mail as HTML";
  frame.setAttribute("sandbox", "allow-same-origin");
  frame.addEventListener("load", () => {
    frame.style.height = `${frame.contentDocument.documentElement.scrollHeight + 2}px`;
  });
  frame.srcdoc = html;
  return frame;
}

function toast(shown) {
  const box = make("div", "te-toast");
  box.dataset.priority = form.elements.priority.value;
  box.append(make("div", "te-toast-title", shown.title), make("div", "te-toast-body", shown.text));
  return [box];
}

function bubble(shown) {
  const chat = make("div", "te-chat");
  const box = make("div", "te-bubble");
  box.append(telegramNodes(shown.html), make("span", "te-clock", "12:00"));
  chat.append(box);
  return [chat];
}

function mail(shown) {
  const subject = make("div", "te-subject");
  subject.append(make("b", "", "Subject: "), shown.title);
  const text = make("details", "te-plain");
  text.append(make("summary", "", "As plain text"), make("pre", "", shown.text));
  return [subject, mailFrame(shown.html), text];
}

function plain(shown) {
  return [make("div", "te-toast-title", shown.title), make("pre", "te-text", shown.text)];
}

const LOOKS = { WEB: toast, TELEGRAM: bubble, EMAIL: mail };

function card(shown) {
  const box = make("section", "te-card te-preview");
  box.dataset.channel = shown.name;
  const head = make("h3", "", shown.label);
  if (shown.problem) head.append(make("span", "te-chip te-bad", "fails"));
  else if (!shown.uses_draft) head.append(make("span", "te-chip", "another wording"));
  box.append(head);
  if (shown.problem) box.append(make("p", "te-problem", `${shown.problem}. Shown is what is sent instead.`));
  box.append(...(LOOKS[shown.name] ?? plain)(shown));
  return box;
}

function showFindings(found) {
  const lines = found.map(({ level, text }) => make("li", `te-${level}`, text));
  part("findings").replaceChildren(...lines);
}

let running = new AbortController();

async function refresh() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const problem = part("problem");
  try {
    const body = new FormData(form);
    const found = await answered(await fetch(form.dataset.preview, { method: "POST", body, signal }));
    problem.hidden = true;
    showFindings(found.findings);
    part("previews").replaceChildren(...found.channels.map(card));
    form.dataset.shown = String(Number(form.dataset.shown ?? 0) + 1);
  } catch (error) {
    if (error.name === "AbortError") return;
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

let timer = 0;

function refreshSoon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, PAUSE_MS);
}

/* --- the sample ------------------------------------------------------------------------------------ */

function takeSample() {
  const name = part("sample").value;
  if (name === "own") return;
  payload.value = JSON.stringify(samples[name] ?? {}, null, 2);
  form.elements.event_type.value = name || form.elements.event_type.defaultValue;
}

/* --- test-sends ------------------------------------------------------------------------------------ */

async function listDestinations() {
  const select = part("destination");
  try {
    const url = `${form.dataset.destinations}?${new URLSearchParams({ person: part("person").value })}`;
    const { destinations } = await answered(await fetch(url));
    const options = destinations.map(({ id, label }) => new Option(label, id));
    select.replaceChildren(...(options.length ? options : [new Option("no verified address", "")]));
    part("outcome").textContent = "";
  } catch (error) {
    select.replaceChildren(new Option("…", ""));
    part("outcome").textContent = error.message;
  }
  part("send").disabled = !select.value;
}

async function sendTest() {
  const outcome = part("outcome");
  part("send").disabled = true;
  outcome.className = "te-outcome";
  outcome.textContent = "Sending …";
  try {
    const values = { person: part("person").value, destination: part("destination").value };
    const { sent, text } = await ask(form.dataset.test, values);
    outcome.classList.add(sent ? "te-sent" : "te-refused");
    outcome.textContent = sent ? `Sent: ${text}.` : `Not sent: ${text}.`;
  } catch (error) {
    outcome.classList.add("te-refused");
    outcome.textContent = error.message;
  }
  part("send").disabled = false;
}

/* --- events ---------------------------------------------------------------------------------------- */

let leaving = false;

function isChanged() {
  return ["title", "body"].some((name) => form.elements[name].value !== form.elements[name].defaultValue);
}

form.addEventListener("input", (event) => {
  if (event.target === payload) part("sample").value = "own";
  if (event.target === part("person")) return;
  part("unsaved").hidden = !isChanged();
  refreshSoon();
});

part("sample").addEventListener("change", takeSample);
part("person")?.addEventListener("change", listDestinations);
part("send")?.addEventListener("click", sendTest);

form.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button?.dataset.ask && !window.confirm(button.dataset.ask)) {
    event.preventDefault();
    return;
  }
  if (button?.dataset.number) form.elements.number.value = button.dataset.number;
  leaving = true;
});

window.addEventListener("beforeunload", (event) => {
  if (!leaving && isChanged()) event.preventDefault();
});

takeSample();
refresh();
if (part("person")) listDestinations();
