// Figures as people read them, in their language. Pure.

export function number(value: number, language: string, digits: number): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

export function energy(wh: number, language: string): string {
  return wh < 1000 ? `${number(wh, language, 0)} Wh` : `${number(wh / 1000, language, wh < 10_000 ? 2 : 1)} kWh`;
}

export function power(watts: number, language: string): string {
  return `${number(watts / 1000, language, 1)} kW`;
}

export function money(cents: number, currency: string, language: string): string {
  try {
    return new Intl.NumberFormat(language, { style: "currency", currency }).format(cents / 100);
  } catch {
    return `${number(cents / 100, language, 2)} ${currency}`;
  }
}

export function distance(metres: number, language: string): string {
  return metres < 950 ? `${number(Math.round(metres / 10) * 10, language, 0)} m` : `${number(metres / 1000, language, 1)} km`;
}

export function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.max(0, Math.floor(seconds))} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

export function clock(iso: string, language: string): string {
  const date = new Date(iso);
  const today = new Date().toDateString() === date.toDateString();
  const style: Intl.DateTimeFormatOptions = { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(language, today ? style : { ...style, day: "numeric", month: "short" }).format(date);
}
