// @ts-check
/** Write plugins of the Crowbar chat server. The reference is docs/sdk-javascript.md. */
export {Config} from './config.js';
export {Plugin} from './plugin.js';
export {ConfigError, Event, HostClosed, Refuse, Refused, Reject, Retry} from './values.js';
export {LimitError} from './wire.js';
