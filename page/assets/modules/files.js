// What somebody picked or dropped -> files with their relative names.

// Files of an <input type=file>; of a folder with the folder's name first.
export const picked = (input) => [...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));

// Files and folders of a drop. The entries must be read before the event ends, so this collects them at once.
export async function dropped(transfer) {
  const roots = [...transfer.items].filter((item) => item.kind === "file").map((item) => ({
    entry: item.webkitGetAsEntry?.(),
    file: item.getAsFile(),
  }));
  const found = [], unreadable = [];
  for (const { entry, file } of roots) {
    if (entry) await walk(entry, found, unreadable);
    else if (file) found.push({ file, name: file.name });
  }
  return { found, unreadable };
}

async function walk(entry, found, unreadable) {
  const name = entry.fullPath.replace(/^\/+/, "");
  try {
    if (entry.isFile) found.push({ file: await new Promise((yes, no) => entry.file(yes, no)), name });
    else for (const inner of await inside(entry)) await walk(inner, found, unreadable);
  } catch {
    unreadable.push(name);
  }
}

// A reader gives at most 100 entries at a time, and none at the end.
async function inside(folder) {
  const reader = folder.createReader(), entries = [];
  for (;;) {
    const some = await new Promise((yes, no) => reader.readEntries(yes, no));
    if (!some.length) return entries;
    entries.push(...some);
  }
}

// Separate what can be sent from what cannot, with the reason of each.
export function sorted(files, { allowed, fileBytes }) {
  const taken = [], refused = [];
  for (const one of files) {
    const last = one.name.slice(one.name.lastIndexOf("/") + 1), dot = last.lastIndexOf(".");
    const hidden = one.name.split("/").some((part) => part.startsWith("."));
    if (hidden) continue; // what systems and programs put there
    if (!allowed.has(last.slice(dot).toLowerCase()) || dot < 1)
      refused.push({ name: one.name, why: "is not a kind of file that can be added" });
    else if (!one.file.size) refused.push({ name: one.name, why: "is empty" });
    else if (one.file.size > fileBytes) refused.push({ name: one.name, why: `is larger than ${gigabytes(fileBytes)}` });
    else taken.push(one);
  }
  return { taken, refused };
}

const gigabytes = (bytes) => `${Math.round(bytes / 2 ** 30)} GB`;
