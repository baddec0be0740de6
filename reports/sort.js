// Sorting tables by a column: descending, ascending, then the order in which they were written. Rows stay within their group.
const ORDERS = ["descending", "ascending", "none"];
const SIGNS = { descending: "▼", ascending: "▲", none: "" };

function keyOf(row, column) {
  const cell = row.cells[column];
  if (column === 0) return cell.textContent.trim();
  return cell.dataset.order === undefined ? null : Number(cell.dataset.order);
}

function compared(a, b) {
  return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}

function sorted(rows, column, order) {
  if (order === "none") return rows;
  const sign = order === "descending" ? -1 : 1;
  return rows
    .map((row, place) => ({ row, place, key: keyOf(row, column) }))
    .sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      return sign * compared(a.key, b.key) || a.place - b.place;
    })
    .map((entry) => entry.row);
}

export function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const bodies = [...table.tBodies].map((body) => {
    const rows = [...body.rows];
    return { body, fixed: rows.filter((row) => row.classList.contains("group")), rows: rows.filter((row) => !row.classList.contains("group")) };
  });
  const buttons = heads.map((head, column) => {
    const button = document.createElement("button");
    const sign = document.createElement("span");
    button.type = "button";
    button.className = "sort";
    sign.setAttribute("aria-hidden", "true");
    button.append(...head.childNodes, sign);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const order = ORDERS[(ORDERS.indexOf(head.getAttribute("aria-sort") ?? "none") + 1) % ORDERS.length];
      heads.forEach((other, place) => {
        const own = place === column ? order : "none";
        if (own === "none") other.removeAttribute("aria-sort");
        else other.setAttribute("aria-sort", own);
        buttons[place].lastChild.textContent = SIGNS[own];
      });
      for (const { body, fixed, rows } of bodies) body.replaceChildren(...fixed, ...sorted(rows, column, order));
    });
    return button;
  });
}
