// Draws the film of a run: a map of the whole, and under it a window with the clients' rows, a lane a node, and the
// messages between the lanes. Times are microseconds of the run; rows of data are as page.rs writes them.
//
// Everything is drawn anew for each window. What is drawn leaves a target, in which the pointer looks for what it is
// on. Words of the run reach the page as text only. The place after the # sets the window, for a link or a picture:
// #from=829.5&to=831&theme=dark&partition=metadata&signs=1&others=1&hold=400,300
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const head = data.head;
  const at = (id) => document.getElementById(id);
  const asked = new URLSearchParams(location.hash.slice(1));
  const root = document.documentElement;
  const END = Math.max(head.end, 1);
  const LEFT = 96, RIGHT = 14, AXIS = 24, ROW = 6, BLOCK = 13, ROLE = 22, WORK = 5;

  // ---- what is shown ----------------------------------------------------------------------------------------
  const columns = (rows, names) => rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])));
  const byStart = (rows) => rows.sort((one, other) => one.from - other.from);
  const faults = byStart(columns(data.faults, ["name", "words", "from", "to", "sites", "clients"]));
  const lives = byStart(columns(data.lives, ["site", "boot", "isPaused", "from", "to"]));
  const stretches = byStart(columns(data.stretches, ["site", "partition", "from", "to", "role", "term", "leader",
    "last", "durable", "commit", "highWatermark", "replica"]));
  const messages = columns(data.messages.concat(data.signs), ["site", "target", "from", "to", "fate", "weight", "flags", "words",
    "partitions"]).sort((one, other) => one.from - other.from);
  const operations = byStart(columns(data.operations, ["client", "site", "from", "to", "end", "question", "answer"]));
  const works = byStart(columns(data.works, ["site", "from", "to", "end", "words"]));
  const notes = columns(data.notes, ["from", "site", "words"]).reverse().sort((one, other) => one.from - other.from);
  const lines = columns(data.lines, ["from", "step", "words"]).reverse();
  const ROLES = ["leads", "follows", "stands for election", "knows no leader"];
  const FATES = ["under way at the end", "came", "LOST"];
  const WEIGHTS = ["sign of life", "answer", "content", "vote"];
  const ENDS = ["open at the end", "well", "refused", "lost: no answer"];
  const WORK_ENDS = ["open at the end", "done", "FAILED", "lost with its process"];

  const endOf = (item) => item.to ?? END;
  const node = (site) => site < 0 ? "nobody" : "n" + (site + 1);
  const ms = (us) => (us / 1000).toFixed(3) + " ms";
  const span = (item) => ms(item.from) + (item.to === null ? " to the end" :
    " to " + ms(item.to) + " (" + ((item.to - item.from) / 1000).toFixed(3) + " ms)");

  // Puts what overlaps into rows of its own, at most so many.
  const stack = (items, rowsMax) => {
    const ends = [];
    for (const item of items) {
      let row = ends.findIndex((end) => end <= item.from);
      if (row < 0) row = ends.length < rowsMax ? ends.push(0) - 1 : ends.indexOf(Math.min(...ends));
      ends[row] = endOf(item);
      item.row = row;
    }
    return Math.max(ends.length, 1);
  };
  const sites = [...Array(head.sites).keys()];
  const placed = (list) => list.map((fault) => ({ ...fault }));
  const faultsAt = sites.map((site) => placed(faults.filter((fault) => fault.sites.includes(site))));
  const faultRows = faultsAt.map((list) => list.length ? stack(list, 3) : 0);
  const clients = head.clients.map((words, number) => {
    const own = operations.filter((operation) => operation.client === number);
    return { number, words, own, rows: Math.max(stack(own, 4), 2),
      hit: faults.filter((fault) => fault.clients.includes(number)) };
  });
  const flags = notes.filter((note) => note.site >= 0);
  const stages = notes.filter((note) => note.site < 0 && !/^(fault|mended|n\d)/.test(note.words));

  // ---- the window -------------------------------------------------------------------------------------------
  const focus = head.broken ? head.broken.at : head.end;
  const full = Math.min(data.kept.since.messages, END);
  let view = { from: 0, to: END };
  let partition = 0, held = false, pointer = null, targets = [], lanes = [];
  const shows = { others: false, signs: false, answers: true };

  const go = (from, to) => {
    const width = Math.min(Math.max(to - from, 20), END * 1.04);
    const low = Math.max(Math.min(from, END * 1.02 - width), -END * 0.02);
    view = { from: low, to: low + width };
    draw();
  };
  const toFocus = () => go(focus - 900e3 * Math.min(1, END / 3e6), focus + 100e3 * Math.min(1, END / 3e6));
  const toFull = () => go(full, END + (END - full) * 0.04);
  const zoom = (by, around = (view.from + view.to) / 2) =>
    go(around - (around - view.from) * by, around + (view.to - around) * by);

  // ---- colours ----------------------------------------------------------------------------------------------
  const isDark = () => root.classList.contains("dark");
  let paints = {};
  const paint = (name) => paints[name] ??= getComputedStyle(root).getPropertyValue("--" + name).trim();
  // Neighbouring terms differ much, and none is the red of a broken claim.
  const hue = (term) => 35 + (term * 113) % 290;
  const roleColour = (role, term) => {
    const light = isDark() ? [46, 25, 32, 20] : [40, 82, 70, 92];
    const full = isDark() ? [62, 34, 45, 8] : [62, 58, 60, 10];
    return `hsl(${hue(term)} ${full[role]}% ${light[role]}%)`;
  };
  const messageColour = (message) => message.fate === 2 ? paint("lost") : message.flags & 1 ? paint("late") :
    message.flags & 2 ? paint("doubled") : paint(["sign", "answer", "content", "vote"][message.weight]);

  // ---- drawing ----------------------------------------------------------------------------------------------
  const film = at("film"), map = at("map");
  let pen, width, height;
  const x = (us) => LEFT + (us - view.from) / (view.to - view.from) * (width - LEFT - RIGHT);
  const us = (px) => view.from + (px - LEFT) / (width - LEFT - RIGHT) * (view.to - view.from);
  const isSeen = (item) => item.from <= view.to && endOf(item) >= view.from;

  const ready = (canvas, cssHeight) => {
    const scale = window.devicePixelRatio || 1;
    width = canvas.clientWidth;
    height = cssHeight;
    canvas.style.height = cssHeight + "px";
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(cssHeight * scale);
    pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.clearRect(0, 0, width, height);
  };
  const box = (left, top, right, bottom, colour) => {
    pen.fillStyle = colour;
    pen.fillRect(left, top, right - left, bottom - top);
  };
  const text = (words, left, top, colour, font = "11px system-ui, 'DejaVu Sans', sans-serif") => {
    pen.font = font;
    pen.fillStyle = colour;
    pen.textBaseline = "middle";
    pen.fillText(words, left, top);
  };
  // Text within a box, if it has room.
  const label = (words, left, right, middle, colour, font) => {
    const from = Math.max(left, LEFT) + 4;
    const room = Math.min(right, width - RIGHT) - from - 2;
    if (room < 14) return;
    if (font) pen.font = font;
    const whole = pen.measureText(words).width;
    if (whole > room && room < 40) return;
    pen.save();
    pen.beginPath();
    pen.rect(from, middle - 10, room, 20);
    pen.clip();
    text(words, from, middle, colour, font);
    pen.restore();
  };
  const stroke = (points, colour, thick = 1, dash = []) => {
    pen.strokeStyle = colour;
    pen.lineWidth = thick;
    pen.setLineDash(dash);
    pen.beginPath();
    points.forEach(([left, top], i) => i ? pen.lineTo(left, top) : pen.moveTo(left, top));
    pen.stroke();
    pen.setLineDash([]);
  };
  const hatch = (left, top, right, bottom, colour, gap = 6) => {
    pen.save();
    pen.beginPath();
    pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.beginPath();
    const low = Math.max(left, LEFT) - (bottom - top) - gap, high = Math.min(right, width);
    for (let px = Math.floor(low / gap) * gap; px < high; px += gap) {
      pen.moveTo(px, bottom);
      pen.lineTo(px + bottom - top, top);
    }
    pen.stroke();
    pen.restore();
  };
  const target = (left, top, right, bottom, item, tell) => {
    if (right >= LEFT && left <= width) targets.push({ left, top, right: Math.max(right, left + 3), bottom, item, tell });
  };

  const layout = () => {
    let top = AXIS + 6;
    const rows = clients.map((client) => {
      const row = { top, bottom: top + client.rows * ROW + 2 };
      top = row.bottom + 2;
      return row;
    });
    top += 10;
    const body = sites.reduce((sum, site) => sum + faultRows[site] * BLOCK + ROLE + WORK + 12, 0);
    const spare = Math.max(window.innerHeight - 330, 300) - top - body;
    const gap = sites.length < 2 ? 20 : Math.min(Math.max(spare / (sites.length - 1), 46), 150);
    lanes = sites.map((site) => {
      const lane = { site, top, role: top + faultRows[site] * BLOCK + 8 };
      lane.work = lane.role + ROLE;
      lane.bottom = lane.work + WORK + 4;
      top = lane.bottom + gap;
      return lane;
    });
    return { rows, bottom: lanes[lanes.length - 1].bottom + 14 };
  };

  const drawAxis = (bottom) => {
    const rough = (view.to - view.from) / Math.max((width - LEFT) / 110, 1);
    const ten = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((by) => by * ten).find((by) => by >= rough);
    for (let tick = Math.ceil(Math.max(view.from, 0) / step) * step; tick <= Math.min(view.to, END); tick += step) {
      stroke([[x(tick), AXIS - 4], [x(tick), bottom]], paint("line"));
      text((tick / 1000).toLocaleString("en", { maximumFractionDigits: 3 }) + " ms", x(tick) + 3, 11, paint("dim"));
    }
    for (const stage of stages) {
      if (!isSeen({ ...stage, to: stage.from })) continue;
      stroke([[x(stage.from), 4], [x(stage.from), bottom]], paint("dim"), 1, [2, 3]);
      target(x(stage.from) - 3, 0, x(stage.from) + 3, AXIS + 4, stage, () => ["The simulator", ms(stage.from) + "\n" + stage.words]);
    }
    if (data.kept.since.messages > 0 && view.from < full) {
      box(LEFT, AXIS - 4, Math.min(x(full), width), AXIS - 2, paint("line"));
      label("before: only what is worth a look", LEFT, x(full), AXIS + 1, paint("dim"), "9px system-ui, sans-serif");
    }
  };

  const drawClients = (rows) => {
    clients.forEach((client, i) => {
      const { top, bottom } = rows[i];
      box(LEFT, top, width - RIGHT, bottom, paint("lane"));
      text("c" + client.number + " " + client.words.split(",")[0].toLowerCase(), 8, (top + bottom) / 2, paint("dim"), "10px system-ui, sans-serif");
      for (const operation of client.own.filter(isSeen)) {
        const left = x(operation.from), right = Math.max(x(endOf(operation)), left + 1.5);
        const upper = top + 1 + operation.row * ROW;
        const colour = paint(["open", "well", "late", "lost"][operation.end]);
        box(Math.max(left, LEFT), upper, right, upper + ROW - 1, colour);
        target(left, upper - 1, right, upper + ROW, operation, () => [
          "Client " + client.number + " asks " + node(operation.site) + ": " + ENDS[operation.end],
          span(operation) + "\n" + operation.question + (operation.answer ? "\n-> " + operation.answer : "")]);
      }
      for (const fault of client.hit.filter(isSeen)) {
        const left = x(fault.from), right = Math.max(x(endOf(fault)), left + 3);
        box(Math.max(left, LEFT), bottom - 2, right, bottom + 1, paint("fault"));
        target(left, bottom - 3, right, bottom + 2, fault, () => [fault.name, span(fault) + "\n" + fault.words]);
      }
    });
  };

  const drawLane = (lane) => {
    const { site, role, work, bottom } = lane;
    const isHurt = head.broken && head.broken.sites.includes(site);
    box(LEFT, role, width - RIGHT, bottom - 4, paint("lane"));
    hatch(LEFT, role, width - RIGHT, work, paint("down"));
    text(node(site), 8, role + 11, isHurt ? paint("red") : paint("ink"), "bold 15px system-ui, sans-serif");
    for (const fault of faultsAt[site].filter(isSeen)) {
      const left = x(fault.from), right = Math.max(x(endOf(fault)), left + 3);
      const upper = role - 8 - (fault.row + 1) * BLOCK;
      box(Math.max(left, LEFT), upper, right, upper + BLOCK - 2, paint("fault"));
      label(fault.name, left, right, upper + 5.5, paint("fault-ink"), "10px system-ui, sans-serif");
      target(left, upper, right, upper + BLOCK - 1, fault, () => [fault.name, span(fault) + "\n" + fault.words]);
    }
    for (const life of lives.filter((life) => life.site === site && isSeen(life))) {
      box(Math.max(x(life.from), LEFT), role, Math.max(x(endOf(life)), LEFT), work, paint("lane"));
    }
    if (!stretches.some((one) => one.site === site && one.partition === partition)) {
      label("no replica of " + (data.partitions[partition] ?? "anything"), LEFT, width, (role + work) / 2, paint("dim"), "11px system-ui, sans-serif");
    }
    for (const one of stretches) {
      if (one.site !== site || one.partition !== partition || !isSeen(one)) continue;
      const left = Math.max(x(one.from), LEFT), right = Math.max(x(endOf(one)), left + 1);
      box(left, role, right, work, roleColour(one.role, one.term));
      if (one.role === 2) hatch(left, role, right, work, roleColour(0, one.term), 5);
      const colour = one.role === 0 ? "#fff" : paint("ink");
      const short = (one.role === 0 ? "LEADS" : one.role === 1 ? node(one.leader) : one.role === 2 ? "votes" : "?") +
        " \u00b7 " + one.term;
      const words = right - Math.max(left, LEFT) < 150 || one.role === 3 ? short :
        (one.role === 0 ? "LEADS" : one.role === 1 ? "follows " + node(one.leader) : "stands for election") + ", term " + one.term;
      label(words, left, right, (role + work) / 2, colour, (one.role === 0 ? "bold " : "") + "11px system-ui, sans-serif");
      stroke([[left, role], [left, work]], paint("paper"), 1);
      target(left, role, right, work, one, () => [
        node(site) + " " + ROLES[one.role] + (one.role === 1 ? " " + node(one.leader) : "") + ", term " + one.term,
        data.partitions[partition] + ", replica " + one.replica + "\n" + span(one) + "\nat its end: last entry " + one.last + ", durable " +
        one.durable + ", committed " + one.commit + (one.highWatermark ? ", high watermark " + one.highWatermark : "")]);
    }
    for (const life of lives.filter((life) => life.site === site && isSeen(life))) {
      const left = x(life.from), right = x(endOf(life));
      if (life.isPaused) {
        hatch(Math.max(left, LEFT), role, right, work, paint("late"), 4);
        target(left, role, right, work, life, () => [node(site) + " is paused", span(life)]);
      }
      stroke([[left, role - 2], [left, work + 2]], paint("ink"), 1.5);
      target(left - 3, work - 4, left + 3, work + 4, life, () => [node(site) + ", life " + life.boot, span(life)]);
    }
    for (const one of works) {
      if (one.site !== site || !isSeen(one)) continue;
      const left = Math.max(x(one.from), LEFT), right = Math.max(x(endOf(one)), left + 1);
      const isSync = one.words.startsWith("sync");
      const colour = one.end === 2 ? paint("lost") : isSync ? paint("content") : paint("work");
      box(left, isSync ? work + 2 : work, right, isSync ? work + WORK : work + 2, colour);
      target(left, work, right, work + WORK, one, () => ["Disk of " + node(site) + ": " + WORK_ENDS[one.end], span(one) + "\n" + one.words]);
    }
    for (const flag of flags) {
      if (flag.site !== site || flag.from < view.from || flag.from > view.to) continue;
      const px = x(flag.from);
      const isBad = /damaged|failed|full|halt/i.test(flag.words) && !/no such file/.test(flag.words);
      const colour = paint(isBad ? "lost" : "dim");
      pen.fillStyle = colour;
      pen.beginPath();
      pen.moveTo(px, role);
      pen.lineTo(px - 4, role - 7);
      pen.lineTo(px + 4, role - 7);
      pen.fill();
      target(px - 4, role - 8, px + 4, role, flag, () => ["A remark of " + node(site), ms(flag.from) + "\n" + flag.words]);
    }
  };

  const isShown = (message) => {
    const isMarked = message.fate === 2 || message.flags > 0;
    if (message.weight === 0 && !shows.signs && !(isMarked && message.flags & 2)) return false;
    if (message.weight === 1 && !shows.answers && !isMarked) return false;
    return shows.others || !message.partitions.length || message.partitions.includes(partition);
  };
  const drawMessages = () => {
    const shown = messages.filter((message) => isSeen(message) && isShown(message));
    const isDense = shown.length > 1200;
    for (const message of shown) {
      const down = message.target > message.site;
      const one = lanes[message.site], other = lanes[message.target];
      const startY = down ? one.work + WORK : one.role, endY = down ? other.role : other.work + WORK;
      const startX = x(message.from);
      const isLost = message.fate === 2;
      // What is lost gets no further than half of the way, however late that is found out.
      const reach = message.fate === 1 ? 1 : 0.5 / Math.abs(message.target - message.site);
      const late = message.fate === 1 ? message.to : Math.min(endOf(message), message.from + Math.max(head.late / 4, 2000));
      const endX = x(late), stopY = startY + (endY - startY) * reach;
      const colour = messageColour(message);
      const isMarked = isLost || message.flags;
      pen.globalAlpha = isMarked ? 1 : isDense ? 0.35 : message.weight === 0 ? 0.6 : 0.85;
      stroke([[startX, startY], [endX, stopY]], colour, isMarked || message.weight === 3 ? 1.6 : 1, isLost ? [5, 3] : []);
      if (isLost) {
        stroke([[endX - 4, stopY - 4], [endX + 4, stopY + 4]], colour, 2);
        stroke([[endX - 4, stopY + 4], [endX + 4, stopY - 4]], colour, 2);
      } else if (message.flags & 2) {
        stroke([[startX + 3, startY], [endX + 3, stopY]], colour, 1.6);
      }
      if (message.fate === 1 && (!isDense || isMarked)) {
        const angle = Math.atan2(stopY - startY, endX - startX);
        pen.fillStyle = colour;
        pen.beginPath();
        pen.moveTo(endX, stopY);
        pen.lineTo(endX - 7 * Math.cos(angle - 0.35), stopY - 7 * Math.sin(angle - 0.35));
        pen.lineTo(endX - 7 * Math.cos(angle + 0.35), stopY - 7 * Math.sin(angle + 0.35));
        pen.fill();
      }
      pen.globalAlpha = 1;
      message.drawn = [startX, startY, endX, stopY];
    }
    return shown;
  };
  const tellMessage = (message) => {
    const marks = [message.flags & 1 ? "LATE" : "", message.flags & 2 ? "DOUBLED: its receiver had it already" : ""];
    return [node(message.site) + " to " + node(message.target) + ": " + WEIGHTS[message.weight] + ", " +
      [FATES[message.fate], ...marks.filter(Boolean)].join(", "), span(message) + "\n" + message.words.replaceAll("; ", "\n")];
  };

  const drawEnd = (bottom) => {
    const px = x(focus);
    if (px < LEFT - 2 || px > width) return;
    const colour = paint(head.broken ? "red" : "green");
    if (head.broken) {
      stroke([[px, 14], [px, bottom]], colour, 2.5);
      for (const lane of lanes.filter((lane) => head.broken.sites.includes(lane.site))) {
        pen.strokeStyle = colour;
        pen.lineWidth = 2.5;
        pen.strokeRect(Math.max(px - 14, LEFT), lane.role - 3, 28, ROLE + WORK + 7);
      }
      const words = head.broken.claim + " broken";
      pen.font = "bold 12px system-ui, sans-serif";
      const room = pen.measureText(words).width + 10;
      const left = Math.min(px - room / 2, width - room - 2);
      box(left, 0, left + room, 17, colour);
      text(words, left + 5, 9, "#fff", pen.font);
      target(left, 0, left + room, 18, head.broken, () => [words, ms(focus) + ", step " + head.broken.step + "\n" + head.broken.words]);
    } else {
      stroke([[px, AXIS - 6], [px, bottom]], colour, 1.5);
    }
  };

  let shownMessages = [];
  const draw = () => {
    paints = {};
    targets = [];
    const { rows, bottom } = layout();
    ready(film, bottom);
    drawAxis(bottom);
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, width - RIGHT, bottom);
    pen.clip();
    drawClients(rows);
    lanes.forEach(drawLane);
    pen.beginPath();
    pen.rect(LEFT, 0, width - LEFT, bottom);
    pen.clip();
    shownMessages = drawMessages();
    pen.restore();
    drawEnd(bottom);
    if (pointer) mark();
    drawMap();
  };

  const drawMap = () => {
    ready(map, 58);
    const px = (time) => LEFT + time / END * (width - LEFT - RIGHT);
    text("the whole run", 8, 29, paint("dim"), "10px system-ui, sans-serif");
    const thick = 40 / sites.length;
    for (const site of sites) {
      const top = 9 + site * thick;
      box(LEFT, top, width - RIGHT, top + thick - 2, paint("lane"));
      for (const one of stretches) {
        if (one.site === site && one.partition === partition) {
          box(px(one.from), top, Math.max(px(endOf(one)), px(one.from) + 0.5), top + thick - 2, roleColour(one.role, one.term));
        }
      }
      for (const fault of faultsAt[site]) {
        box(px(fault.from), top + thick - 4, Math.max(px(endOf(fault)), px(fault.from) + 1), top + thick - 2, paint("fault"));
      }
    }
    if (head.broken) stroke([[px(focus), 2], [px(focus), 56]], paint("red"), 2);
    const left = px(Math.max(view.from, 0)), right = Math.max(px(Math.min(view.to, END)), left + 2);
    pen.fillStyle = isDark() ? "#ffffff18" : "#00000012";
    pen.fillRect(left, 3, right - left, 52);
    pen.strokeStyle = paint("ink");
    pen.lineWidth = 1;
    pen.strokeRect(left + 0.5, 3.5, Math.max(right - left - 1, 2), 51);
  };

  // ---- the pointer ------------------------------------------------------------------------------------------
  const nearest = (px, py) => {
    let best = null, least = 5;
    for (const message of shownMessages) {
      const [ax, ay, bx, by] = message.drawn;
      if (py < Math.min(ay, by) - 3 || py > Math.max(ay, by) + 3) continue;
      const length = (bx - ax) ** 2 + (by - ay) ** 2 || 1;
      const along = Math.min(Math.max(((px - ax) * (bx - ax) + (py - ay) * (by - ay)) / length, 0), 1);
      const away = Math.hypot(px - ax - along * (bx - ax), py - ay - along * (by - ay));
      if (away < least) [best, least] = [message, away];
    }
    return best;
  };
  // Small things lie on large ones, so the last that was drawn is meant.
  const under = (px, py) => targets.findLast((one) => px >= one.left - 1 && px <= one.right + 1 && py >= one.top && py <= one.bottom);

  const mark = () => {
    const { px, py } = pointer;
    const message = nearest(px, py), hit = message ? null : under(px, py);
    stroke([[px, AXIS], [px, height]], paint("dim"), 1, [1, 3]);
    if (message) {
      const [ax, ay, bx, by] = message.drawn;
      stroke([[ax, ay], [bx, by]], paint("ink"), 3);
    } else if (hit) {
      pen.strokeStyle = paint("ink");
      pen.lineWidth = 1.5;
      pen.strokeRect(Math.max(hit.left, LEFT), hit.top, Math.min(hit.right, width) - Math.max(hit.left, LEFT), hit.bottom - hit.top);
      if (hit.item.question !== undefined) {
        const lane = lanes[hit.item.site];
        stroke([[Math.max(hit.left, LEFT), hit.bottom], [Math.max(hit.left, LEFT), lane.role]], paint("ink"), 1, [3, 3]);
      }
    }
  };
  const tell = () => {
    const { px, py } = pointer;
    const message = nearest(px, py), hit = under(px, py);
    const [what, detail] = message ? tellMessage(message) : hit ? hit.tell() : ["", ms(us(px))];
    at("what").textContent = what || "At the pointer";
    at("detail").textContent = detail;
    const lane = lanes.reduce((best, one) => Math.abs(one.role - py) < Math.abs(best.role - py) ? one : best, lanes[0]);
    tellLane(py < lanes[0].top ? hit?.item.site ?? lane.site : lane.site, us(px));
  };
  const linesOf = sites.map((site) => lines.filter((line) => new RegExp("^(#|\\*)? *n" + (site + 1) + "\\b").test(line.words)));
  const entry = (list, item, words, name) => {
    const line = list.appendChild(document.createElement("li"));
    const time = line.appendChild(document.createElement("time"));
    time.textContent = (item.from / 1000).toFixed(3);
    line.append(words);
    if (name) line.className = name;
    return line;
  };
  const tellLane = (site, time) => {
    const own = linesOf[site].length && linesOf[site][0].from <= time ? linesOf[site] : notes.filter((note) =>
      note.site === site || note.site < 0 && new RegExp("\\bn" + (site + 1) + "\\b").test(note.words));
    at("lane").textContent = "The story of " + node(site) + (own === linesOf[site] ? "" : " (its lines begin later)");
    const list = at("lines");
    list.textContent = "";
    let now = own.findIndex((line) => line.from > time);
    now = (now < 0 ? own.length : now) - 1;
    own.slice(Math.max(now - 16, 0), now + 17).forEach((line, i) => {
      const place = i + Math.max(now - 16, 0);
      const words = line.words.replace(/^#? *n\d+ /, "").replace(/^link/, "# link");
      const name = (own[now] && line.from === own[now].from ? "now " : "") + (words.startsWith("->") ? "asked" : "");
      entry(list, line, words, name);
      if (head.broken && place === own.length - 1) entry(list, { from: head.broken.at }, head.broken.claim + " broken", "end");
    });
  };

  // ---- the hand ---------------------------------------------------------------------------------------------
  const place = (event, canvas) => {
    const edge = canvas.getBoundingClientRect();
    return { px: event.clientX - edge.left, py: event.clientY - edge.top };
  };
  let drag = null;
  film.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const by = (view.to - view.from) * (event.deltaX || event.deltaY) / 1000;
      return go(view.from + by, view.to + by);
    }
    zoom(Math.exp(event.deltaY / 500), us(place(event, film).px));
  }, { passive: false });
  film.addEventListener("pointerdown", (event) => {
    drag = { ...place(event, film), view: { ...view }, moved: false };
    film.setPointerCapture(event.pointerId);
  });
  film.addEventListener("pointermove", (event) => {
    const now = place(event, film);
    if (drag) {
      const by = (drag.px - now.px) / (width - LEFT - RIGHT) * (view.to - view.from);
      drag.moved ||= Math.abs(drag.px - now.px) > 4;
      if (drag.moved) go(drag.view.from + by, drag.view.to + by);
      return;
    }
    if (held) return;
    pointer = now;
    requestAnimationFrame(() => { draw(); if (pointer) tell(); });
  });
  const hold = (isHeld) => {
    held = isHeld;
    document.body.classList.toggle("held", held);
  };
  film.addEventListener("pointerup", () => {
    if (drag && !drag.moved) hold(!held);
    drag = null;
  });
  film.addEventListener("pointerleave", () => { if (!held) { pointer = null; draw(); } });
  const onMap = (event) => {
    if (event.buttons !== 1) return;
    const time = (place(event, map).px - LEFT) / (map.clientWidth - LEFT - RIGHT) * END;
    const half = (view.to - view.from > END * 0.9 ? END / 10 : view.to - view.from) / 2;
    go(time - half, time + half);
  };
  map.addEventListener("pointerdown", onMap);
  map.addEventListener("pointermove", onMap);
  at("jump").onclick = toFocus;
  at("window").onclick = toFull;
  at("whole").onclick = () => go(-END * 0.01, END * 1.02);
  at("in").onclick = () => zoom(0.5);
  at("out").onclick = () => zoom(2);
  at("theme").onclick = () => { root.classList.toggle("dark"); legend(); draw(); };
  for (const name of Object.keys(shows)) at(name).onchange = () => { shows[name] = at(name).checked; draw(); };
  at("partition").onchange = () => { partition = Number(at("partition").value); draw(); };
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = (view.to - view.from) / 8;
    const keys = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), f: toFocus, w: at("whole").onclick,
      ArrowLeft: () => go(view.from - by, view.to - by), ArrowRight: () => go(view.from + by, view.to + by),
      Escape: () => hold(false) };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  window.addEventListener("resize", () => draw());

  // ---- the rest of the page ---------------------------------------------------------------------------------
  const legend = () => {
    paints = {};
    const list = at("legend");
    list.textContent = "";
    const add = (words, style, name = "") => {
      const one = list.appendChild(document.createElement("span"));
      const sample = one.appendChild(document.createElement("i"));
      sample.className = name;
      Object.assign(sample.style, style);
      one.append(words);
    };
    add("leads (a colour a term)", { background: roleColour(0, 3) });
    add("follows in that term", { background: roleColour(1, 3) });
    add("stands for election", { background: `repeating-linear-gradient(135deg, ${roleColour(0, 3)} 0 2px, ${roleColour(2, 3)} 2px 5px)` });
    add("knows no leader (?)", { background: roleColour(3, 0), outline: "1px solid " + paint("line") });
    add("down", { background: `repeating-linear-gradient(135deg, ${paint("down")} 0 1px, transparent 1px 5px)` });
    add("fault in force", { background: paint("fault") });
    add("message", { borderColor: paint("content") }, "stroke");
    add("vote", { borderColor: paint("vote") }, "stroke");
    add("answer", { borderColor: paint("answer") }, "stroke");
    add("lost", { borderColor: paint("lost") }, "stroke dashed");
    add("late (over " + head.late / 1000 + " ms)", { borderColor: paint("late") }, "stroke");
    add("doubled", { borderColor: paint("doubled") }, "stroke");
    add("client: well", { background: paint("well") });
    add("refused", { background: paint("late") });
    add("no answer", { background: paint("lost") });
    add("disk: sync", { background: paint("content"), height: "4px" });
    add("other work", { background: paint("work"), height: "4px" });
  };

  const choose = asked.get("partition");
  const metadata = data.partitions.indexOf("metadata");
  partition = choose !== null ? data.partitions.indexOf(choose) : head.partition ?? metadata;
  partition = Math.max(partition, 0);
  // A name that was given again stands for several topics, one after the other.
  const again = (name, number) => data.partitions.slice(0, number).filter((one) => one === name).length;
  data.partitions.map((name, number) => ({ name: name + (again(name, number) ? " (made again, " + (again(name, number) + 1) + ")" : ""), number }))
    .sort((one, other) => (other.number === metadata) - (one.number === metadata) || one.name.localeCompare(other.name, "en", { numeric: true }))
    .forEach(({ name, number }) => {
      const option = at("partition").appendChild(document.createElement("option"));
      option.value = number;
      option.textContent = name;
    });
  at("partition").value = partition;
  for (const name of Object.keys(shows)) {
    if (asked.has(name)) at(name).checked = shows[name] = asked.get(name) === "1";
  }
  const theme = asked.get("theme");
  root.classList.toggle("dark", theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  document.body.classList.toggle("red", Boolean(head.broken));
  at("badge").textContent = head.broken ? "RED" : head.is_whole ? "green" : "stopped";
  at("headline").textContent = "seed " + head.seed + (head.broken ?
    ": " + head.broken.claim + " broken at " + ms(head.broken.at) + ", step " + head.broken.step :
    ": " + ms(head.end) + ", " + head.step + " steps");
  at("words").textContent = head.broken ? head.broken.words : "";
  at("jump").textContent = head.broken ? "to the broken claim" : "to the end";
  const { since, left_out: leftOut } = data.kept;
  const fromWhen = (time) => time > END ? "not at all" : time > 0 ? "from " + ms(time) + " on" : "from the start";
  at("kept").textContent = "In full: messages between nodes " + fromWhen(since.messages) + ", what clients asked " +
    fromWhen(since.operations) + ", the lines of the story " + fromWhen(since.lines) + "; before that only what was lost, " +
    "doubled or refused, and votes; of signs of life only the newest. Left out: " + leftOut.messages + " messages, " + leftOut.operations +
    " operations, " + leftOut.works + " works of disks, " + leftOut.stretches + " stretches of roles.";
  for (const note of notes) {
    entry(at("notes"), note, (note.site >= 0 ? node(note.site) + " " : "") + note.words).onclick = () =>
      go(note.from - 250e3, note.from + 250e3);
  }
  if (head.broken) entry(at("notes"), { from: head.broken.at }, head.broken.claim + " broken: " + head.broken.words, "end").onclick = toFocus;
  at("setting").textContent = head.setting.join("\n");

  legend();
  if (asked.has("from")) go(Number(asked.get("from")) * 1000, Number(asked.get("to")) * 1000);
  else if (head.broken) toFocus();
  else go(-END * 0.01, END * 1.02);
  tellLane(head.broken?.sites[0] ?? 0, focus);
  if (asked.has("hold")) {
    const [px, py] = asked.get("hold").split(",").map(Number);
    pointer = { px, py };
    hold(true);
    draw();
    tell();
  }
})();
