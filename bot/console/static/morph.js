// Puts a newer version of the page's regions in place, touching only what differs. A region's children carry keys; a child
// whose words are the same stays the very element it was, so that focus, open details and the screen reader's place hold.

/** Take over every region of `html` into `page`; returns the newer document. */
export function refresh(page, html) {
  const newer = new DOMParser().parseFromString(html, "text/html");
  for (const region of page.querySelectorAll("[data-region]")) {
    const fresh = newer.querySelector(`[data-region="${region.dataset.region}"]`);
    if (fresh) adopt(region, [...fresh.children]);
  }
  return newer;
}

/** Make `region` hold these children, in this order. */
export function adopt(region, children) {
  const known = new Map([...region.children].map((child) => [child.dataset.key, child]));
  let place = region.firstElementChild;
  for (const child of children) {
    const before = child.dataset.key && known.get(child.dataset.key);
    let now = before;
    if (!before || !alike(before, child)) {
      now = document.importNode(child, true);
      if (before) {
        keepOpen(before, now);
        keepWords(before, now);
        const focused = before.contains(document.activeElement) ? document.activeElement : null;
        if (place === before) place = now;
        before.replaceWith(now);
        if (focused) refocus(focused, now);
      }
    }
    known.delete(child.dataset.key);
    if (now === place) place = place.nextElementSibling;
    else region.insertBefore(now, place);
  }
  while (place) {
    const next = place.nextElementSibling;
    place.remove();
    place = next;
  }
}

/** Whether two versions of a child say the same. Times since then tick by themselves and are not compared. */
function alike(before, after) {
  return plain(before) === plain(after);
}

function plain(element) {
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll("time[data-ago]")) time.textContent = "";
  for (const each of copy.querySelectorAll("details[open]")) each.removeAttribute("open");
  for (const each of copy.querySelectorAll("button[disabled]")) each.removeAttribute("disabled");
  return copy.outerHTML;
}

function keepOpen(before, after) {
  const details = after.querySelectorAll("details");
  before.querySelectorAll("details").forEach((each, number) => {
    const twin = each.id ? after.querySelector(`#${CSS.escape(each.id)}`) : details[number];
    if (each.open && twin && twin.id === each.id) twin.open = true;
  });
}

/** What was being written in a form stays, also when what stands around it has changed. */
function keepWords(before, after) {
  for (const field of before.querySelectorAll("textarea[id], input[id]:not([type=hidden]), select[id]")) {
    const twin = after.querySelector(`#${CSS.escape(field.id)}`);
    if (twin && field.value !== given(field)) twin.value = field.value;
  }
}

/** What a field held when the page was made. */
function given(field) {
  if (field.tagName !== "SELECT") return field.defaultValue;
  return ([...field.options].find((each) => each.defaultSelected) || field.options[0])?.value;
}

function refocus(focused, now) {
  const same = [...now.querySelectorAll(focused.tagName)];
  const label = (each) => each.getAttribute("href") || each.getAttribute("aria-label") || each.textContent;
  (same.find((each) => label(each) === label(focused)) || same[0])?.focus({ preventScroll: true });
}
