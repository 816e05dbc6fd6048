/** The Gregorian calendar without the host's clock. */

export interface CalendarTime {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
  /** 1 Sunday to 7 Saturday, as the MC146818 counts. */
  weekday: number;
  hour: number;
  minute: number;
  second: number;
}

const DAY = 86_400;

/** Days from 1970-01-01. Years are counted from March, so that the leap day is the last one. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Seconds since 1970-01-01 00:00:00. */
export function toUnixSeconds(time: Omit<CalendarTime, 'weekday'>): number {
  const days = daysFromCivil(time.year, time.month, time.day);
  return days * DAY + time.hour * 3600 + time.minute * 60 + time.second;
}

export function fromUnixSeconds(seconds: number): CalendarTime {
  const days = Math.floor(seconds / DAY);
  const rest = seconds - days * DAY;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    // 1970-01-01 was a Thursday.
    weekday: ((((days + 4) % 7) + 7) % 7) + 1,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
  };
}
