// Addresses behind the `#`.

/** What an address names: {name, id?, event?, token?, parameters?}. */
export function routeOf(hash) {
  const [path, query] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').map(decoded);
  const parameters = new URLSearchParams(query);
  switch (parts[0]) {
    case 'c': return parts[1] ? { name: 'channel', id: parts[1], event: parts[2] === 'm' ? parts[3] : undefined } : { name: 'home' };
    case 'search': return { name: 'search', parameters };
    case 'settings': return { name: 'settings' };
    case 'plugins': case 'console': return { name: 'console', section: parts[0], id: parts[1] };
    case 'sign-in': return { name: 'sign-in' };
    case 'register': return { name: 'register' };
    case 'setup': case 'reset': case 'invite': return { name: parts[0], token: parts[1] ?? '' };
    default: return { name: 'home' };
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
