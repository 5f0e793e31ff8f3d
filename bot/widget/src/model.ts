// What the server sends (docs/contracts.md, "Front door, public side"), and what a driver has not got through to it yet.

export type Author = "driver" | "bot" | "person";

export interface Choice {
  token: string;
  title: string;
}

export interface ChargerCard {
  id: string;
  name: string;
  distance_m?: number | null;
  plugs?: string[] | null;
  free?: number | null;
  price?: string | null;
  map_url?: string | null;
}

export type Custom =
  | { kind: "chargers"; chargers: ChargerCard[] }
  | { kind: "pay"; url: string; amount_cents?: number; currency?: string; title?: string }
  | { kind: "progress"; text?: string; within_s: number }
  | { kind: "location" }
  | { kind: "rating"; stars?: number };

export interface Entry {
  id: string;
  seq: number;
  author: Author;
  text: string;
  at: string;
  lang?: string;
  choices?: Choice[];
  custom?: Custom;
  client_id?: string;
  agent?: string;
}

export interface State {
  working: boolean;
  choices: string[];
  seq: number;
}

export interface Session {
  id: string;
  charger: string;
  label: string;
  site?: string | null;
  connector: number;
  state: string;
  started_at?: string | null;
  ended_at?: string | null;
  energy_wh?: number | null;
  power_w?: number | null;
  max_kw?: number | null;
  cost?: { amount_cents: number; currency: string } | null;
}

export interface About {
  operator: string;
  phone: string;
  languages: string[];
}

export interface Place {
  latitude: number;
  longitude: number;
  accuracy_m: number;
}

/** What is posted. Exactly one of text, choice and location. */
export interface Body {
  text?: string;
  choice?: string;
  location?: Place;
  charger?: string;
  connector?: number;
}

export interface Pending {
  client_id: string;
  body: Body;
  shown: string;
  at: number;
}
