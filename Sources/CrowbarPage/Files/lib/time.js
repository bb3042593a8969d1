// Times and dates in the reader's language.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const dayAndYear = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

/** Hours and minutes. */
export const timeText = (time) => clock.format(time);
/** Date and time in full. */
export const fullText = (time) => full.format(time);
const quarter = 900000;
const days = new Map();

/** A number that differs between days of the reader's time zone. Remembered by quarters of an hour: lists ask for each row. */
export function dayOf(time) {
  const key = Math.floor(time / quarter);
  if (!days.has(key)) {
    if (days.size > 10000) days.clear();
    const date = new Date(key * quarter);
    days.set(key, date.getFullYear() * 10000 + date.getMonth() * 100 + date.getDate());
  }
  return days.get(key);
}

/** A day, with its year unless it is the present one. */
export function dayText(time, now = Date.now()) {
  if (dayOf(time) === dayOf(now)) return 'Today';
  return (new Date(time).getFullYear() === new Date(now).getFullYear() ? day : dayAndYear).format(time);
}

/** How long something takes, as `12 s`, `3 min`, `2 h`, `4 d`. */
export function durationText(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}
