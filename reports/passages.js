// Buttons that copy a text of the page. Where the clipboard is out of reach, the text is selected for the reader to copy.

function select(element) {
  element.closest("details")?.setAttribute("open", "");
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

// Paragraphs part by an empty line, as in a text file.
function textOf(element) {
  const paragraphs = [...element.querySelectorAll("p")];
  return paragraphs.length ? paragraphs.map((one) => one.textContent).join("\n\n") : element.textContent;
}

export function startCopying() {
  const told = document.getElementById("copied");
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const element = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(textOf(element));
        told.textContent = "Copied.";
      } catch {
        select(element);
        told.textContent = "Selected: copy it with Ctrl+C or ⌘C.";
      }
    });
  }
}
