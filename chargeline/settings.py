"""Every setting of every process, once: its environment variable, its default, what it is for.

`.env.example` is written from this table (`python -m chargeline.settings > .env.example`) and a test keeps them equal.
Values come from the environment; `.env` in the working folder fills what the environment leaves open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from dotenv import dotenv_values

T = TypeVar("T")
SANDBOX_CARRIER_SID = "AC00000000000000000000000000000000"  # the sandbox carrier's account
SANDBOX_STRIPE_KEY = "sk_test_sandbox"  # opens the sandbox's stand-in for Stripe, and nothing else


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names the variable and what is expected."""


def _text(raw: str) -> str:
    return raw.strip()


def _port(raw: str) -> int:
    number = int(raw)
    if not 0 < number < 65536:
        raise ValueError("a port from 1 to 65535 is expected")
    return number


def _positive(raw: str) -> float:
    number = float(raw)
    if number <= 0:
        raise ValueError("a number above 0 is expected")
    return number


def _not_negative(raw: str) -> float:
    number = float(raw)
    if not 0 <= number < float("inf"):
        raise ValueError("0 or a number above it is expected")
    return number


def _whole(raw: str) -> int:
    number = int(raw)
    if number < 0:
        raise ValueError("a whole number from 0 is expected")
    return number


def _switch(raw: str) -> bool:
    lowered = raw.strip().lower()
    if lowered in {"on", "true", "yes", "1"}:
        return True
    if lowered in {"off", "false", "no", "0", ""}:
        return False
    raise ValueError("on or off is expected")


def setting(env: str, default: T, parse: Callable[[str], T], group: str, help_: str, *, secret: bool = False) -> T:
    """One row of the table. `secret` values get a random one from `make run` where none is given."""
    value: T = field(
        default=default, metadata={"env": env, "parse": parse, "group": group, "help": help_, "secret": secret}
    )
    return value


def _t(env: str, default: str, group: str, help_: str, *, secret: bool = False) -> str:
    return setting(env, default, _text, group, help_, secret=secret)


def _p(env: str, default: int, group: str, help_: str) -> int:
    return setting(env, default, _port, group, help_)


def _n(env: str, default: float, group: str, help_: str) -> float:
    return setting(env, default, _positive, group, help_)


def _z(env: str, default: float, group: str, help_: str) -> float:
    return setting(env, default, _not_negative, group, help_)


def _s(env: str, default: bool, group: str, help_: str) -> bool:
    return setting(env, default, _switch, group, help_)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Read with `Settings.load()`; times are seconds, money is in cents, addresses are URLs."""

    # --- where things are
    var_dir: str = _t("VAR_DIR", "var", "Files", "Folder for stores, logs and generated keys.")
    models_dir: str = _t("MODELS_DIR", "models", "Files", "Folder of the trained models.")
    log_format: str = _t("LOG_FORMAT", "console", "Files", "console (for people) or json (one object a line).")
    log_level: str = _t("LOG_LEVEL", "info", "Files", "debug, info, warning or error.")

    host: str = _t(
        "HOST", "127.0.0.1", "Addresses", "Address that the public sides (front door, charger socket) listen on."
    )
    private_host: str = _t(
        "PRIVATE_HOST",
        "127.0.0.1",
        "Addresses",
        "Address that the private sides (Rasa, actions, bridge API) listen on.",
    )
    bot_port: int = _p("BOT_PORT", 8080, "Addresses", "Front door: web page, webhooks.")
    ocpp_port: int = _p("OCPP_PORT", 9000, "Addresses", "Chargers connect here: ws://HOST:OCPP_PORT/ocpp/<charger id>.")
    bridge_port: int = _p("BRIDGE_PORT", 9001, "Addresses", "The bridge's HTTP API.")
    rasa_port: int = _p("RASA_PORT", 5005, "Addresses", "Rasa.")
    actions_port: int = _p("ACTIONS_PORT", 5055, "Addresses", "The action server.")
    sandbox_port: int = _p("SANDBOX_PORT", 9100, "Addresses", "Control page and API of the sandbox network.")
    payments_port: int = _p("PAYMENTS_PORT", 9300, "Addresses", "The sandbox's payment system: API and payment pages.")
    desk_port: int = _p("DESK_PORT", 8090, "Addresses", "The trainers' desk.")
    carrier_port: int = _p("CARRIER_PORT", 9200, "Addresses", "The sandbox's carrier: two phones to text with.")
    public_url: str = _t(
        "PUBLIC_URL",
        "",
        "Addresses",
        "URL under which the world reaches the front door, as Twilio signs it. Empty: http://localhost:BOT_PORT.",
    )
    bot_url: str = _t(
        "BOT_URL", "", "Addresses", "Where other processes find the front door. Empty: from host and port."
    )
    bridge_url: str = _t(
        "BRIDGE_URL", "", "Addresses", "Where other processes find the bridge's API. Empty: from host and port."
    )
    rasa_url: str = _t("RASA_URL", "", "Addresses", "Where the front door finds Rasa. Empty: from host and port.")
    actions_url: str = _t(
        "ACTIONS_URL", "", "Addresses", "Where Rasa finds the action server. Empty: from host and port."
    )

    # --- keys between the processes; made by `make run` where they are empty
    bridge_read_key: str = _t("BRIDGE_READ_KEY", "", "Keys", "Bridge API key with scope read.", secret=True)
    bridge_driver_key: str = _t(
        "BRIDGE_DRIVER_KEY", "", "Keys", "Bridge API key with scope driver: what the action server uses.", secret=True
    )
    bridge_operator_key: str = _t(
        "BRIDGE_OPERATOR_KEY", "", "Keys", "Bridge API key with scope operator: provisioning, imports.", secret=True
    )
    bridge_webhook_secret: str = _t(
        "BRIDGE_WEBHOOK_SECRET", "", "Keys", "Signs what the bridge tells the front door.", secret=True
    )
    rasa_token: str = _t("RASA_TOKEN", "", "Keys", "Token of Rasa's HTTP API.", secret=True)
    terminal_key: str = _t("TERMINAL_KEY", "", "Keys", "Opens the terminal channel (make chat).", secret=True)
    web_session_key: str = _t("WEB_SESSION_KEY", "", "Keys", "Signs the web page's visitor cookie.", secret=True)
    actions_key: str = _t(
        "ACTIONS_KEY", "", "Keys", "What the front door shows the action server (hazards, cases).", secret=True
    )
    carrier_key: str = _t(
        "CARRIER_KEY", "", "Keys", "Signs what the sandbox's carrier sends, and is its account's token.", secret=True
    )
    operator_key: str = _t(
        "OPERATOR_KEY", "", "Keys", "Opens conversations and cases to people and their desk.", secret=True
    )
    case_webhook_secret: str = _t(
        "CASE_WEBHOOK_SECRET", "", "Keys", "Signs what is posted to CASE_WEBHOOK_URL.", secret=True
    )

    traffic_key: str = _t(
        "TRAFFIC_KEY", "", "Keys", "Lets the trainers' desk read what drivers wrote, masked.", secret=True
    )
    model_server_key: str = _t(
        "MODEL_SERVER_KEY", "", "Keys", "Lets Rasa take the live model from the trainers' desk.", secret=True
    )
    desk_keys: str = _t(
        "DESK_KEYS",
        "",
        "Keys",
        "Who may sign in at the trainers' desk: ada:<key>,ben:<key>. What a trainer does is kept under that name.",
        secret=True,
    )

    bridge_payment_key: str = _t(
        "BRIDGE_PAYMENT_KEY", "", "Keys", "Lets the action server have paid sessions started.", secret=True
    )
    payments_sandbox_secret: str = _t(
        "PAYMENTS_SANDBOX_SECRET", "", "Keys", "Signs the webhooks of the sandbox's payment system.", secret=True
    )

    # --- stores
    mongodb_url: str = _t(
        "MONGODB_URL", "", "Stores", "Set: stores live in this MongoDB. Empty: in SQLite files under VAR_DIR."
    )
    mongodb_database: str = _t("MONGODB_DATABASE", "chargeline", "Stores", "Database name in MongoDB.")
    redis_url: str = _t("REDIS_URL", "", "Stores", "Set: Rasa takes its conversation locks there (several workers).")

    # --- SMS through Twilio
    twilio_account_sid: str = _t("TWILIO_ACCOUNT_SID", "", "SMS (Twilio)", "Account SID. Empty: SMS is off.")
    twilio_auth_token: str = _t("TWILIO_AUTH_TOKEN", "", "SMS (Twilio)", "Auth token; also checks webhook signatures.")
    twilio_from_number: str = _t(
        "TWILIO_FROM_NUMBER",
        "",
        "SMS (Twilio)",
        "Number that replies are sent from, E.164, or a messaging service (MG...).",
    )
    twilio_api_url: str = _t(
        "TWILIO_API_URL",
        "https://api.twilio.com",
        "SMS (Twilio)",
        "Where replies are posted; a test carrier's URL works too.",
    )
    twilio_webhook_key: str = _t(
        "TWILIO_WEBHOOK_KEY",
        "",
        "SMS (Twilio)",
        "Secret of the shared key that Twilio signs webhooks with, where one is set up there (SHA-256). Empty: auth token only.",
    )

    # --- WhatsApp: Meta's Cloud API, or through Twilio
    whatsapp_phone_number_id: str = _t(
        "WHATSAPP_PHONE_NUMBER_ID", "", "WhatsApp", "Meta's id of the sending number. Empty: WhatsApp by Meta is off."
    )
    whatsapp_access_token: str = _t("WHATSAPP_ACCESS_TOKEN", "", "WhatsApp", "Token for Meta's Graph API.")
    whatsapp_app_secret: str = _t("WHATSAPP_APP_SECRET", "", "WhatsApp", "App secret; checks webhook signatures.")
    whatsapp_verify_token: str = _t(
        "WHATSAPP_VERIFY_TOKEN", "", "WhatsApp", "Word that Meta repeats when the webhook is set up; you choose it."
    )
    whatsapp_api_url: str = _t(
        "WHATSAPP_API_URL", "https://graph.facebook.com/v23.0", "WhatsApp", "Graph API with its version."
    )
    whatsapp_templates: str = _t(
        "WHATSAPP_TEMPLATES",
        "",
        "WhatsApp",
        "Approved utility templates with one variable, for news after 24 hours: en=name/en_US,es=name/es_MX (Meta) or en=HX... (Twilio).",
    )
    twilio_whatsapp_number: str = _t(
        "TWILIO_WHATSAPP_NUMBER", "", "WhatsApp", "Sender of WhatsApp through Twilio, E.164. Empty: that is off."
    )

    # --- how messages are taken and sent
    settle_s: float = _z(
        "SETTLE_S",
        0.4,
        "Messages",
        "How long a text (SMS, WhatsApp) waits for a next one of the same thought; up to five times that where it looks unfinished. 0: not at all.",
    )
    sends_per_s: float = _n("SENDS_PER_S", 80.0, "Messages", "Messages handed to a carrier in a second, by channel.")
    sends_per_number_s: float = _n(
        "SENDS_PER_NUMBER_S", 1.0, "Messages", "Messages to one number in a second, after a first burst of ten."
    )

    # --- payments through Stripe
    stripe_api_key: str = _t(
        "STRIPE_API_KEY",
        "",
        "Payments (Stripe)",
        "Secret key. Empty: no payments, or, with SANDBOX, the sandbox's own.",
    )
    stripe_webhook_secret: str = _t(
        "STRIPE_WEBHOOK_SECRET", "", "Payments (Stripe)", "Signing secret of the webhook PUBLIC_URL/webhooks/stripe."
    )
    stripe_api_url: str = _t(
        "STRIPE_API_URL",
        "",
        "Payments (Stripe)",
        "Where Stripe's API is. Empty: Stripe itself, or the sandbox's stand-in.",
    )
    hold_cents: int = setting(
        "HOLD_CENTS",
        4000,
        _whole,
        "Payments (Stripe)",
        "Held on the card when a driver pays by link; only the real cost is taken, never more than this.",
    )
    refund_cap_cents: int = setting(
        "REFUND_CAP_CENTS",
        0,
        _whole,
        "Payments (Stripe)",
        "Most that is paid back for one session without a person. 0: a person decides on each.",
    )
    link_valid_s: float = _n(
        "LINK_VALID_S", 2700.0, "Payments (Stripe)", "How long a payment link can be used; 1800 to 86400."
    )

    # --- the operator
    operator_name: str = _t("OPERATOR_NAME", "Chargeline Demo Network", "Operator", "Name that drivers know.")
    operator_phone: str = _t(
        "OPERATOR_PHONE", "", "Operator", "Phone number of people who help, given to drivers. Empty: none is offered."
    )
    emergency_number: str = _t("EMERGENCY_NUMBER", "911", "Operator", "Told to drivers in danger.")
    case_webhook_url: str = _t(
        "CASE_WEBHOOK_URL", "", "Operator", "Where cases that need a person are posted, signed. Empty: not posted."
    )
    case_email_to: str = _t(
        "CASE_EMAIL_TO", "", "Operator", "Address that such cases are mailed to. Empty: not mailed."
    )
    smtp_url: str = _t(
        "SMTP_URL",
        "",
        "Operator",
        "Mail server: smtp://user:password@host:587 or smtps://...; needed for CASE_EMAIL_TO.",
    )
    drivers_file: str = _t(
        "DRIVERS_FILE",
        "",
        "Operator",
        "JSON list of known drivers [{driver_id, phone, name, language}], read at start.",
    )
    embeds_file: str = _t(
        "EMBEDS_FILE",
        "",
        "Operator",
        "JSON list of sites and apps that may embed the chat: key, origins, signers (docs/widget.md), read at start.",
    )
    web_proxies: int = setting(
        "WEB_PROXIES",
        0,
        _whole,
        "Operator",
        "How many proxies of yours stand before the front door: a caller's address is read from X-Forwarded-For.",
    )
    chargers_file: str = _t(
        "CHARGERS_FILE", "", "Operator", "JSON file of sites, chargers and id tokens that the bridge imports at start."
    )
    ocpp_tls_cert: str = _t(
        "OCPP_TLS_CERT", "", "Operator", "PEM certificate chain: chargers then connect by TLS too, on OCPP_TLS_PORT."
    )
    ocpp_tls_key: str = _t("OCPP_TLS_KEY", "", "Operator", "PEM private key of OCPP_TLS_CERT.")
    ocpp_tls_client_ca: str = _t(
        "OCPP_TLS_CLIENT_CA", "", "Operator", "PEM certificates that sign chargers' own ones (security profile 3)."
    )
    ocpp_tls_port: int = _p("OCPP_TLS_PORT", 9443, "Operator", "wss://HOST:OCPP_TLS_PORT/ocpp/<charger id>.")
    ocpp_proxies: str = _t(
        "OCPP_PROXIES",
        "",
        "Operator",
        "Addresses or networks of proxies that end TLS: their X-Forwarded-Proto, -For and OCPP_CLIENT_NAME_HEADER count.",
    )
    ocpp_client_name_header: str = _t(
        "OCPP_CLIENT_NAME_HEADER",
        "X-SSL-Client-CN",
        "Operator",
        "Header in which such a proxy names the client certificate that it verified.",
    )
    guest_starts: bool = _s(
        "GUEST_STARTS",
        False,
        "Operator",
        "on: drivers without an account may charge free of charge, on a guest token. An operator's policy; the sandbox sets it.",
    )
    several_sessions: bool = _s(
        "SEVERAL_SESSIONS",
        False,
        "Operator",
        "on: an id token may charge at several connectors at once; off: chargers are told ConcurrentTx.",
    )

    # --- the trainers' desk
    desk: bool = _s("DESK", True, "Trainers' desk", "on: make run starts the trainers' desk too.")
    desk_folder: str = _t(
        "DESK_FOLDER",
        "",
        "Trainers' desk",
        "Folder with the data/ and domain/ that trainers edit. Empty: where the product itself is.",
    )
    desk_branch: str = _t(
        "DESK_BRANCH",
        "trainers-desk",
        "Trainers' desk",
        "Where that folder is a git repository, each change is committed on this branch too. Empty: not.",
    )
    desk_days: float = _n(
        "DESK_DAYS", 30.0, "Trainers' desk", "Drivers' messages older than so many days are not shown at the desk."
    )

    # --- the sandbox and tests
    sandbox: bool = _s("SANDBOX", True, "Sandbox", "on: make run starts simulated chargers and imports their network.")
    sandbox_network: str = _t(
        "SANDBOX_NETWORK", "", "Sandbox", "Folder of the simulated network's files. Empty: the one that comes along."
    )
    sandbox_csms_url: str = _t(
        "SANDBOX_CSMS_URL",
        "",
        "Sandbox",
        "Where the simulated chargers dial (their id is added). Empty: ws://127.0.0.1:OCPP_PORT/ocpp.",
    )
    clock_speed: float = _n("CLOCK_SPEED", 1.0, "Sandbox", "How many seconds pass in one; the same for all processes.")
    clock_epoch: str = _t(
        "CLOCK_EPOCH", "", "Sandbox", "With CLOCK_SPEED: the real moment (Unix seconds) from which time runs fast."
    )

    # ------------------------------------------------------------------------------------------------------------
    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Reads the environment; what it leaves open comes from `.env`, then from what `make run` wrote under VAR_DIR.

        With `environ` given (tests) only that is read. Raises SettingsError naming the variable whose value is unusable.
        """
        env = dict(environ) if environ is not None else environment_and_files()
        values: dict[str, Any] = {}
        for row in fields(cls):
            raw = env.get(row.metadata["env"])
            if raw is None or not raw.strip():
                continue
            try:
                values[row.name] = row.metadata["parse"](raw)
            except ValueError as error:
                raise SettingsError(f"{row.metadata['env']}={raw!r}: {error}") from None
        return cls(**values)._with_sandbox_carrier()

    def _with_sandbox_carrier(self) -> Settings:
        """The sandbox's carrier has one key for all its secrets, and is on this machine."""
        if not self.carrier_sandboxed:
            return self
        local = f"http://127.0.0.1:{self.carrier_port}"
        return replace(
            self,
            twilio_auth_token=self.carrier_key,
            twilio_api_url=local,
            whatsapp_access_token=self.carrier_key,
            whatsapp_app_secret=self.carrier_key,
            whatsapp_api_url=f"{local}/v23.0",
        )

    @property
    def var(self) -> Path:
        return Path(self.var_dir)

    def url_of(self, process: str) -> str:
        """Base URL of `bot`, `bridge`, `rasa`, `actions` or `desk` as the other processes reach it."""
        given, host, port = {
            "bot": (self.bot_url, self.host, self.bot_port),
            "bridge": (self.bridge_url, self.private_host, self.bridge_port),
            "rasa": (self.rasa_url, self.private_host, self.rasa_port),
            "actions": (self.actions_url, self.private_host, self.actions_port),
            "desk": ("", self.private_host, self.desk_port),
        }[process]
        if given:
            return given.rstrip("/")
        return f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"

    @property
    def carrier_sandboxed(self) -> bool:
        """Whether the sandbox's two phones are the carrier: `make run` sets its account where none is given."""
        return self.twilio_account_sid == SANDBOX_CARRIER_SID

    @property
    def payments_sandboxed(self) -> bool:
        """Whether the sandbox's stand-in is the payment system: `make run` sets its key where none is given."""
        return self.stripe_api_key == SANDBOX_STRIPE_KEY

    @property
    def stripe_url(self) -> str:
        """Base URL of Stripe's API; "" for Stripe itself."""
        local = f"http://127.0.0.1:{self.payments_port}" if self.payments_sandboxed else ""
        return (self.stripe_api_url or local).rstrip("/")

    @property
    def stripe_signing_secret(self) -> str:
        """What Stripe's webhooks are signed under."""
        return self.payments_sandbox_secret if self.payments_sandboxed else self.stripe_webhook_secret

    @property
    def public_base_url(self) -> str:
        return (self.public_url or f"http://localhost:{self.bot_port}").rstrip("/")


def given_by_people() -> dict[str, str]:
    """The environment over `.env`: what somebody set on purpose. Empty values count as not set."""
    return {**_read(Path(".env")), **{key: value for key, value in os.environ.items() if value.strip()}}


def environment_and_files() -> dict[str, str]:
    """`given_by_people` over VAR_DIR/keys.env and VAR_DIR/run.env, which `chargeline.run` writes."""
    given = given_by_people()
    var = Path(given.get("VAR_DIR") or "var")
    return {**_read(var / "run.env"), **_read(var / "keys.env"), **given}


def _read(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    return {key: value for key, value in dotenv_values(path).items() if value is not None and value.strip()}


def secret_settings() -> list[str]:
    """Environment names of the keys that `make run` makes where none is given."""
    return [row.metadata["env"] for row in fields(Settings) if row.metadata["secret"]]


def env_example() -> str:
    """The text of `.env.example`."""
    lines = [
        "# Every setting of Chargeline, with its default. Copy to .env and change what you need; the environment wins over .env.",
        "# Written by `python -m chargeline.settings`; the table is chargeline/settings.py.",
    ]
    group = None
    for row in fields(Settings):
        if row.metadata["group"] != group:
            group = row.metadata["group"]
            lines += ["", f"# --- {group}"]
        default = row.default
        shown = ("on" if default else "off") if isinstance(default, bool) else default
        if isinstance(shown, float) and shown.is_integer():
            shown = int(shown)
        lines.append(f"# {row.metadata['help']}" + (" Made by make run where empty." if row.metadata["secret"] else ""))
        lines.append(f"{row.metadata['env']}={shown}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(env_example(), end="")
