// The server itself: views, audit log, nodes.

import { asking, count, healthNode, Listing, twin } from './parts.js';
import { durationText, fullText } from '../lib/time.js';
import { fill, h } from '../lib/h.js';
import { pathOf } from '../data/api.js';

const megabytes = (bytes) => (bytes === undefined ? '–' : `${count(Math.round(bytes / 1048576))} MB`);

/** Shows a list with its command. */
function show(body, listing, ...words) {
  fill(body, words.length > 0 && twin(...words), listing.node);
  listing.show();
  return {};
}

/** Views: how far they are, and computing them again. */
export function views(app, body) {
  return show(body, new Listing(app, {
    label: 'Views', key: 'name', titles: ['View', 'State', 'Behind', 'Size', 'Rebuild', 'Published to', 'Actions'], empty: 'There are no views.',
    load: async () => ({ rows: (await app.api.get('/api/admin/views')).data }),
    row: (view, then) => [[
      view.name, healthNode(view.reason ? 'down' : view.lag > 1000 ? 'degraded' : 'ok', view.state), count(view.lag), megabytes(view.bytes),
      view.build ? `${Math.round(view.build.progress * 100)} %` : '–',
      (view.publishing ?? []).map((target) => h('div', {}, `${target.to}: ${target.state}, ${count(target.files)} files`)),
      asking(app, {
        label: 'Rebuild', name: `Rebuild ${view.name}`, then, title: `Rebuild the view ${view.name}?`,
        effect: `All ${count(view.position)} events of the log are read again. Until it is done, the present rows are served. `
          + `It needs ${view.bytes ? `${megabytes(view.bytes * 2)} of` : 'twice its size in'} free space.`,
        words: ['views', 'rebuild', view.name], call: () => app.api.post(`/api/admin/views/${encodeURIComponent(view.name)}/rebuild`, {}),
      }),
    ], 1, view.reason],
  }), 'views');
}

/** What admins did, newest first. */
export function audit(app, body) {
  const page = 100;
  return show(body, new Listing(app, {
    label: 'Audit log', key: 'id', titles: ['Time', 'Who', 'From', 'Action', 'On', 'Result'], empty: 'Nothing is noted.',
    load: async (before) => {
      const { data } = await app.api.get(pathOf('/api/admin/audit', { before, limit: page }));
      return { rows: data, next: data.length === page ? data.at(-1).id : undefined };
    },
    row: (line) => [[fullText(line.at), line.userId ?? '', line.address ?? '', line.action, line.target ?? '', line.result ?? '']],
  }), 'audit');
}

/** The nodes of the server. */
export function nodes(app, body) {
  return show(body, new Listing(app, {
    label: 'Nodes', key: 'pid', titles: ['Node', 'Version', 'Up for', 'Log', 'Data', 'Free space', 'Plugins'], empty: 'There are no nodes.',
    load: async () => ({ rows: (await app.api.get('/api/admin/nodes')).data }),
    row: (node) => [[
      `${node.address ?? ''} (process ${node.pid})`, node.version, h('span', { title: fullText(node.started) }, durationText(node.uptimeSeconds * 1000)),
      node.log.problem ?? `${count(node.log.position)} events`, megabytes(node.disk.usedBytes),
      `${megabytes(node.disk.freeBytes)} of ${megabytes(node.disk.totalBytes)}`,
      Object.entries(node.plugins).filter(([, names]) => names.length).map(([level, names]) => h('div', {}, healthNode(level), `: ${names.join(', ')}`)),
    ]],
  }), 'status');
}
