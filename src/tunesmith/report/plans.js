"use strict";
// Changes the language and copies recipes. Text only ever becomes text nodes, never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);

  function speak(lang) {
    document.documentElement.lang = lang === "zh" ? "zh-Hans" : lang;
    for (const element of document.querySelectorAll("[data-en]")) element.textContent = element.dataset[lang];
    for (const button of document.querySelectorAll("[data-lang]")) button.setAttribute("aria-pressed", String(button.dataset.lang === lang));
  }

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  async function copy(button) {
    const text = document.getElementById("recipe" + button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.classList.add("done");
      window.setTimeout(() => button.classList.remove("done"), 1500);
    } catch {
      select(text);  // where the clipboard is closed to pages, Ctrl-C does the rest
    }
  }

  for (const button of document.querySelectorAll("[data-lang]")) button.addEventListener("click", () => speak(button.dataset.lang));
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
  document.querySelector(".langs").hidden = false;
  speak(data.lang);
})();
