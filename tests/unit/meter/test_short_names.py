"""The short names of a meter: which are given, what they stand for, and Read and Write through the one authorize()."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.meter import Meter, describe, dispatch
from cosem.meter.associations import BY_EITHER_NAMES, AssociationDescription
from cosem.meter.item import Visit
from cosem.meter.rights import Access, Rights
from cosem.meter.short_names import FIRST, LAST
from cosem.protocol.apdu.acse import ApplicationContext, MechanismId
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.apdu.short_name import (
    BlockNumberAccess,
    ParameterizedAccess,
    ReadRequest,
    UnconfirmedWriteRequest,
    VariableName,
    WriteRequest,
)
from cosem.protocol.association.context import IMPLEMENTED_SHORT_NAME_SERVICES, AssociationLimits, Naming, Negotiated
from cosem.protocol.association.security import Protection
from cosem.protocol.codec.schema import NULL_DATA
from cosem.protocol.model.classes.access_control import AssociationSNVersion1
from cosem.protocol.model.classes.data_storage import Data, ProfileGeneric, Register
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.selection import EntrySelection
from cosem.protocol.values.data import Array, DoubleLongUnsigned, Integer, LongUnsigned, OctetString, Structure
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

ENERGY, POWER = Register("1.0.1.8.0.255"), Register("1.0.1.7.0.255")
PARAMETER = Data("0.0.96.1.0.255")
CLIENT = 1


def furnished(naming: frozenset[Naming] = BY_EITHER_NAMES, **words: Any) -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=DoubleLongUnsigned(12_345_678), scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(PARAMETER, writable=("value",), value=LongUnsigned(5))
    meter.add(POWER, base_name=0x3A00, value=LongUnsigned(230), scaler_unit=(0, Unit.WATT))
    meter.offer(AssociationDescription(client=CLIENT, rights=Rights(Access.MANAGE), naming=naming, **words))
    return meter


def visiting(meter: Meter, conformance: Conformance = IMPLEMENTED_SHORT_NAME_SERVICES) -> Visit:
    negotiated = Negotiated(
        ApplicationContext.SHORT_NAME, MechanismId.LOWEST, conformance, 1024, 1024, Protection.NONE, None, 0xFA00
    )
    return meter.management.visit(meter.management.association(CLIENT), negotiated)


def read(meter: Meter, *asked: Any) -> Any:
    specification = tuple(VariableName(each) if isinstance(each, int) else each for each in asked)
    answer: Any = dispatch.answer(visiting(meter), ReadRequest(specification))
    return answer.results if len(asked) > 1 else answer.results[0]


def write(meter: Meter, name: int, value: Any) -> Any:
    answer: Any = dispatch.answer(visiting(meter), WriteRequest((VariableName(name),), (value,)))
    return answer.results[0]


def bases(meter: Meter) -> dict[str, int]:
    return {str(instance): base for instance, base in meter.management.short_names}


def test_reserved_names_are_where_the_standard_has_them_and_the_others_in_order() -> None:
    found = bases(furnished())
    assert found["0.0.40.0.0.255"] == 0xFA00
    assert found["0.0.41.0.0.255"] == 0xFC00
    assert found["0.0.42.0.0.255"] == 0xFD00
    assert found["1.0.1.7.0.255"] == 0x3A00
    assert found["1.0.1.8.0.255"] == FIRST
    assert found["0.0.96.1.0.255"] == FIRST + 0x30  # with room for the method of a register, at 0x28
    assert found["0.0.1.0.0.255"] == LAST + 8 - 0x90  # a clock ends with its last method at 0x88


def test_what_is_added_later_changes_no_name() -> None:
    meter = furnished()
    before = bases(meter)
    meter.add(Data("0.0.96.1.1.255"), value=LongUnsigned(1))
    after = bases(meter)
    assert {name: after[name] for name in before} == before
    assert after["0.0.96.1.1.255"] == FIRST + 0x40


def test_the_list_has_a_base_name_for_each_object_and_each_is_read_there() -> None:
    meter = furnished()
    listed = AssociationSNVersion1.object_list.shape.decode(read(meter, 0xFA08))
    assert {str(each.logical_name): each.base_name for each in listed} == bases(meter)
    assert (12, 1) in {(each.class_id, each.version) for each in listed}
    for each in listed:
        assert read(meter, each.base_name) == OctetString(each.logical_name.octets)


def test_attributes_lie_eight_apart_and_methods_where_the_class_has_them() -> None:
    meter = furnished()
    assert read(meter, 0x3A08) == LongUnsigned(230)
    assert read(meter, 0x3A10) == Structure((Integer(0), read(meter, 0x3A10)[1]))
    assert read(meter, 0x3A08, 0x3A09, FIRST + 8, 0x0008, 0xFFF8) == (
        LongUnsigned(230),
        *(DataAccessResult.OBJECT_UNDEFINED,),
        DoubleLongUnsigned(12_345_678),
        *(DataAccessResult.OBJECT_UNDEFINED,) * 2,
    )
    # This register has no method, and behind its attributes there may be another object.
    assert read(meter, 0x3A18) is DataAccessResult.OBJECT_UNDEFINED


def test_a_method_is_run_by_reading_with_its_parameter_and_by_writing_it() -> None:
    meter = furnished()
    clock = bases(meter)["0.0.1.0.0.255"]
    minute = clock + (Clock.adjust_to_minute.short_name_offset or 0)
    assert read(meter, ParameterizedAccess(minute, 0, Integer(0))) is None
    assert write(meter, minute, Integer(0)) is NULL_DATA
    assert write(meter, minute, LongUnsigned(0)) is DataAccessResult.TYPE_UNMATCHED
    assert read(meter, ParameterizedAccess(minute, 1, Integer(0))) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    assert read(meter, minute) is DataAccessResult.TYPE_UNMATCHED


def test_writing_obeys_the_rights_that_hold_by_logical_names() -> None:
    meter = furnished()
    name = bases(meter)["0.0.96.1.0.255"] + 8
    assert write(meter, name, LongUnsigned(7)) is NULL_DATA
    assert read(meter, name) == LongUnsigned(7)
    assert meter.value(PARAMETER.value) == 7
    assert write(meter, 0x3A08, LongUnsigned(7)) is DataAccessResult.READ_WRITE_DENIED
    assert write(meter, 0xF000, LongUnsigned(7)) is DataAccessResult.OBJECT_UNDEFINED
    answer: Any = dispatch.answer(visiting(meter), UnconfirmedWriteRequest((VariableName(name),), (LongUnsigned(8),)))
    assert answer.results == (NULL_DATA,)
    assert meter.value(PARAMETER.value) == 8


def test_lists_of_unequal_length_and_blocks_without_a_transfer_do_nothing() -> None:
    meter = furnished()
    name = bases(meter)["0.0.96.1.0.255"] + 8
    for values in ((), (LongUnsigned(7), LongUnsigned(7))):
        answer: Any = dispatch.answer(visiting(meter), WriteRequest((VariableName(name),), values))
        assert answer.results == (DataAccessResult.OTHER_REASON,)
    answer = dispatch.answer(visiting(meter), WriteRequest((BlockNumberAccess(1),), (LongUnsigned(7),)))
    assert answer.results == (DataAccessResult.DATA_BLOCK_UNAVAILABLE,)
    assert read(meter, BlockNumberAccess(1)) is DataAccessResult.DATA_BLOCK_UNAVAILABLE
    assert meter.value(PARAMETER.value) == 5


def test_a_list_ends_where_the_response_has_no_more_room() -> None:
    for room, begun in ((5, 1), (6, 2)):
        meter = furnished(limits=AssociationLimits(response=room))
        values = read(meter, FIRST + 8, FIRST + 8)
        assert [each is DataAccessResult.OTHER_REASON for each in values] == [False, begun == 1]


def test_a_part_of_a_profile_is_read_by_parameterized_access() -> None:
    meter = furnished()
    profile = ProfileGeneric("1.0.99.1.0.255")
    meter.add(profile, capture_objects=(POWER.value,), base_name=0xC000)
    capture = 0xC000 + (ProfileGeneric.capture.short_name_offset or 0)
    for _ in range(3):
        assert write(meter, capture, Integer(0)) is NULL_DATA
    selection = EntrySelection(1, 2).access_selection
    assert len(read(meter, ParameterizedAccess(0xC008, selection.selector, selection.parameters))) == 2
    assert isinstance(read(meter, 0xC008), Array)
    assert read(meter, ParameterizedAccess(0xC008, 9, None)) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    assert read(meter, ParameterizedAccess(0xC010, 1, None)) is DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


@pytest.mark.parametrize("wrong", [0x0101, -8, 0x10000, 0xFFF8, 0x3A00, 0x3A10, 0xFA00, 0xFC08])
def test_base_names_that_cannot_be_are_refused(wrong: int) -> None:
    meter = furnished()
    with pytest.raises(ConfigurationError, match=r"base name|short names"):
        meter.add(Register("1.0.2.8.0.255"), base_name=wrong, value=LongUnsigned(1), scaler_unit=(0, Unit.WATT))


def test_a_name_beside_another_is_taken() -> None:
    for fits in (0x3A18, 0x3A00 - 0x18):
        furnished().add(Register("1.0.2.8.0.255"), base_name=fits, value=LongUnsigned(1), scaler_unit=(0, Unit.WATT))
    with pytest.raises(ConfigurationError, match="are those of"):
        furnished().add(Register("1.0.2.8.0.255"), base_name=0x3A00 - 0x10, value=LongUnsigned(1))


def test_a_device_says_when_it_has_more_objects_than_names() -> None:
    meter = furnished()
    with pytest.raises(ConfigurationError, match="no room for more objects by short names"):
        for number in range(0x10000):
            meter.add(Data(Obis.of(0, 0, 96, 50 + number // 200, number % 200, 255)), value=None)
            if number == 0:
                # From here on only the last one is of interest.
                meter.management._associations, offered = (), meter.management._associations
            if number == 4_000:
                meter.management._associations = offered


def test_a_description_gives_names_and_naming() -> None:
    text = """
        [meter]
        name = "KFM1020012345678"
        [[object]]
        class = "Register"
        instance = "1.0.1.8.0.255"
        base_name = 0x0100
        value = 5
        scaler_unit = [0, "Wh"]
        [[association]]
        client = 1
        naming = "{}"
    """
    for word, naming in (("ln", {"ln"}), ("sn", {"sn"}), ("ln+sn", {"ln", "sn"})):
        meter = describe.parse(text.format(word))
        assert all({each.value for each in one.naming} == naming for one in meter.management.associations)
        assert bases(meter)["1.0.1.8.0.255"] == 0x0100
    with pytest.raises(ConfigurationError, match="naming: 'xx' is not known: write ln or sn or ln\\+sn"):
        describe.parse(text.format("xx"))
    with pytest.raises(ConfigurationError, match="multiple of 8"):
        describe.parse(text.replace("0x0100", "0x0101").format("sn"))


def test_the_names_of_a_real_meter_can_be_described() -> None:
    """Names of an Elgama GAMA300 as its gateways publish them: registers of tariffs lie 0x18 apart, without methods."""
    rows = {"1.0.1.8.0.255": 0x0100, "1.0.1.8.1.255": 0x0118, "1.0.1.8.2.255": 0x0130, "1.0.16.7.0.255": 0x3A00}
    rows |= {"1.0.32.7.0.255": 0x4F00, "1.0.52.7.0.255": 0x5000, "1.0.72.7.0.255": 0x5100}
    objects = "".join(
        f'''
        [[object]]
        class = "Register"
        instance = "{name}"
        base_name = {base}
        value = {{ double-long-unsigned = {base} }}
        scaler_unit = [0, "Wh"]
        '''
        for name, base in rows.items()
    )
    text = '[meter]\nname = "EGM0000000000001"\n' + objects + '[[association]]\nclient = 1\nnaming = "sn"\n'
    meter = describe.parse(text)
    assert {name: base for name, base in bases(meter).items() if name in rows} == rows
    assert read(meter, *(base + 8 for base in rows.values())) == tuple(
        DoubleLongUnsigned(base) for base in rows.values()
    )
    # "P total" is read at 3A08, "+A tariff 1" at 0120, the list of objects at FA08.
    assert read(meter, 0x3A08, 0x0120) == (DoubleLongUnsigned(0x3A00), DoubleLongUnsigned(0x0118))
