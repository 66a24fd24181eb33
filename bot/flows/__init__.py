"""Flows: what to ask, what to remember and what to ask of the desk. Pure; rasa-sdk forms, one module for each subject.

A flow sees a message and facts, and returns response keys and commands (`bot.messages`). Slots and their order, rules
and every word are data: `nlu_data/`. How to add one: `docs/add-a-flow.md`.
"""

from pathlib import Path

from rasa_sdk import Action

from bot.flows.callback import RequestCallback
from bot.flows.catalogue import Catalogue, CatalogueError, load_catalogue
from bot.flows.complaint import MakeComplaint
from bot.flows.emergency import Emergency
from bot.flows.enquiry import MakeEnquiry
from bot.flows.form import Ask, Finish, Flow, asks
from bot.flows.repair import ReportRepair
from bot.flows.requests import MakeRequest
from bot.flows.status import CheckProgress
from bot.flows.talk import replies
from bot.flows.wishes import Spoken, WishesError, load_wishes

__all__ = [
    "Catalogue", "CatalogueError", "Spoken", "WishesError", "actions", "flows", "load_catalogue", "load_wishes",
]  # fmt: skip


def flows(repairs: Catalogue, spoken: Spoken) -> list[Flow]:
    """Every form, one for each subject."""
    return [
        ReportRepair(repairs),
        MakeComplaint(),
        MakeEnquiry(),
        MakeRequest(spoken),
        RequestCallback(),
        CheckProgress(),
        Emergency(),
    ]


def actions(nlu_data: Path) -> list[Action]:
    """Every action of the product, ready to be registered with an executor.

    Reads `nlu_data/repairs.yml` and `wishes.yml`; raises CatalogueError or WishesError with what is wrong and where.
    """
    found: list[Action] = []
    for flow in flows(load_catalogue(nlu_data / "repairs.yml"), load_wishes(nlu_data / "wishes.yml")):
        found += [flow, Finish(flow), *asks(flow)]
        if isinstance(flow, MakeRequest):
            found.append(Ask("action_ask_request_form_more", flow.ask_more))
        if isinstance(flow, Emergency):
            found.append(Ask("action_ask_emergency_form_make_safe", flow.ask_make_safe))
            found.append(Ask("action_ask_emergency_form_photo", flow.ask_photo))
    return [*found, *replies()]
