"""The choice page in Chromium: for everybody, without scripts, by keyboard, on a small screen, and without a nudge."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.browser import Visitor, browse
from tests.stage import Stage, staged

pytestmark = pytest.mark.browser

# All that makes one button louder than another.
_LOOK = """buttons => buttons.map(button => {
  const style = getComputedStyle(button), box = button.getBoundingClientRect();
  const look = ["color", "backgroundColor", "borderTopColor", "borderTopWidth", "fontSize", "fontWeight", "fontFamily",
    "textTransform", "textDecorationLine", "opacity", "boxShadow", "visibility", "cursor"].map(name => style[name]);
  return [Math.round(box.width), Math.round(box.height), ...look];
})"""

_SCREENS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (320, "light"), (320, "dark"))

_FOCUSED = "[document.activeElement.localName, document.activeElement.value || '']"


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(monkeypatch) as stage:
        yield stage


async def tab_to(visitor: Visitor, *, value: str) -> None:
    """Press Tab until the control of that value has the focus; at most as often as the page has controls."""
    for _ in range(12):
        await visitor.page.keyboard.press("Tab")
        if (await visitor.page.evaluate(_FOCUSED))[1] == value:
            return
    pytest.fail(f"the keyboard does not reach {value}")


async def press_enter(visitor: Visitor) -> None:
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    await visitor.settle()


async def granted(visitor: Visitor, stage: Stage) -> list[str]:
    """What the gateway makes of this visitor's cookies now."""
    cookies = {str(cookie.get("name")): str(cookie.get("value")) for cookie in await visitor.context.cookies()}
    answer: dict[str, Any] = await stage.decision(cookies)
    assert answer["decided"]
    return [name for name in answer["granted"] if name != "necessary"]


async def test_the_choice_is_made_by_keyboard_without_scripts(stage: Stage, tmp_path: Path) -> None:
    """Whoever cannot use a mouse, or runs no scripts, has the same three answers."""
    async with browse(tmp_path, scripting=False) as visitor:
        page = f"{stage.scene.shop_url}/blog"
        for value, presses_space, expected in (
            ("functional", True, ["functional"]),
            ("accept", False, ["analytics", "functional", "marketing"]),
            ("reject", False, []),
        ):
            await visitor.open(f"{stage.scene.choice_url}?return=/blog")
            await tab_to(visitor, value=value)
            if presses_space:
                await visitor.page.keyboard.press("Space")
            await press_enter(visitor)
            assert visitor.page.url == page
            assert await granted(visitor, stage) == expected


async def test_what_was_chosen_stands_ticked_and_can_be_taken_back_one_by_one(stage: Stage, tmp_path: Path) -> None:
    """Withdrawing one purpose must not cost the others."""
    ticked = "boxes => boxes.filter(box => box.checked).map(box => box.value)"
    async with browse(tmp_path) as visitor:
        await visitor.open(f"{stage.scene.choice_url}?return=/contact")
        assert await visitor.page.eval_on_selector_all("[type=checkbox]", ticked) == [], "nothing is ticked in advance"
        await visitor.press("text='Accept all'")
        await visitor.press("text='Privacy choices'")
        assert len(await visitor.page.eval_on_selector_all("[type=checkbox]", ticked)) == 3
        await visitor.page.uncheck("[value=marketing]")
        await visitor.press("text='Save my choice'")
        assert await granted(visitor, stage) == ["analytics", "functional"]


async def test_refusing_looks_exactly_like_agreeing(stage: Stage, tmp_path: Path) -> None:
    """Consent that a louder button won is not freely given (GDPR, article 4(11)); by night and on a small screen, too."""
    async with browse(tmp_path) as visitor:
        for width, scheme in _SCREENS:
            await visitor.page.set_viewport_size({"width": width, "height": 640})
            await visitor.page.emulate_media(color_scheme=scheme)
            await visitor.open(stage.scene.choice_url)
            looks = await visitor.page.eval_on_selector_all("button", _LOOK)
            assert len(looks) == 3
            assert looks[0] == looks[1] == looks[2]
            assert looks[0][1] >= 24, "large enough for a finger (WCAG 2.2, 2.5.8)"
            wide = await visitor.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, "no scrolling sideways (WCAG 2.2, 1.4.10)"
        assert not visitor.complaints
        assert set(visitor.hosts) == {stage.host}
        assert not visitor.elsewhere.contacts
