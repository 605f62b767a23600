// A field that offers what was found while one types: the ARIA combobox with a list, by mouse, touch and keyboard.
const PAUSE_MS = 200;

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".finder");
  const [label, input, list] = ["label", "input", "ul"].map((name) => root.querySelector(name));
  const state = (root.state ??= { highlighted: -1, timer: 0, open: false });

  label.textContent = data.label;
  input.placeholder = data.placeholder;

  const options = () => [...list.querySelectorAll("[role=option]")];

  const highlight = (index) => {
    state.highlighted = index;
    options().forEach((option, place) => option.setAttribute("aria-selected", String(place === index)));
    const chosen = options()[index];
    input.setAttribute("aria-activedescendant", chosen ? chosen.id : "");
    chosen?.scrollIntoView({ block: "nearest" });
  };

  const open = (isOpen) => {
    state.open = isOpen;
    list.hidden = !isOpen;
    input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) highlight(-1);
  };

  const pick = (id) => {
    clearTimeout(state.timer);
    input.value = "";
    open(false);
    setStateValue("query", "");
    setTriggerValue("picked", id);
  };

  const line = (text, className) => {
    const element = document.createElement("span");
    element.textContent = text;
    element.className = className;
    return element;
  };

  const draw = () => {
    const isCurrent = input.value.trim() === data.query;
    const rows = data.options.map((option, place) => {
      const row = document.createElement("li");
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", "false");
      row.id = `option-${place}`;
      row.append(line(option.title, "title"), line(option.detail, "detail"));
      row.onmousedown = (event) => event.preventDefault();
      row.onclick = () => pick(option.id);
      return row;
    });
    if (!isCurrent || rows.length === 0) {
      const row = document.createElement("li");
      row.className = "note";
      row.append(line(isCurrent ? data.problem || data.nothing : "Searching …", "detail"));
      rows.unshift(row);
    }
    list.replaceChildren(...rows);
    list.setAttribute("aria-busy", String(!isCurrent));
    highlight(isCurrent && data.query && !data.free && rows.length ? 0 : -1);
  };

  input.oninput = () => {
    open(true);
    draw();
    clearTimeout(state.timer);
    state.timer = setTimeout(() => setStateValue("query", input.value.trim()), PAUSE_MS);
  };
  input.onfocus = () => open(true);
  input.onclick = () => open(true);
  input.onblur = () => open(false);
  input.onkeydown = (event) => {
    const count = options().length;
    const isCurrent = input.value.trim() === data.query;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!state.open) open(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (count) highlight((Math.max(state.highlighted, step > 0 ? -1 : 0) + step + count) % count);
    } else if (event.key === "Enter") {
      const typed = input.value.trim();
      const chosen = isCurrent ? data.options[state.highlighted] : undefined;
      if (chosen) pick(chosen.id);
      else if (data.free && typed) pick(typed);
    } else if (event.key === "Escape") {
      open(false);
    }
  };

  draw();
  open(state.open && parentElement.activeElement === input);
  return () => clearTimeout(state.timer);
}
