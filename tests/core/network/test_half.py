"""Associations that stop half-way: each ends by itself in time, leaves nothing, and takes no sender's place for ever."""

import io
import socket
import struct
import time

import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from core.network import Listener
from db.tables import Image, ImportBatch, ImportItem
from tests.core.network.conftest import mammogram
from tests.core.network.test_listening import MG, replace_settings, rows, send, wait_until
from tests.core.network.test_secure import is_cut_off


@pytest.fixture
def hasty(here):
    """A listener that takes two senders at once and waits for neither longer than two seconds."""
    made = Listener(replace_settings(here, listen_seconds=2.0, listen_associations=2), port=0)
    made.start()
    yield made
    made.stop()


def associated(port: int) -> Association:
    ae = AE("MAMMO1")
    ae.add_requested_context(MG, ExplicitVRLittleEndian)
    return ae.associate("127.0.0.1", port)


def pdu(kind: int, body: bytes, *, says: int | None = None) -> bytes:
    return struct.pack(">BxL", kind, len(body) if says is None else says) + body


def test_connections_that_never_become_associations_end_and_make_room(here, hasty):
    half = pdu(1, b"\0\1\0\0LONGVIEW        MAMMO1          ", says=200)
    connections = [socket.create_connection(("127.0.0.1", hasty.port), 5) for _ in range(6)]
    for number, connection in enumerate(connections):
        connection.sendall((b"", half, half[:3])[number % 3])
    try:
        assert all(is_cut_off(one) for one in connections)
    finally:
        for one in connections:
            one.close()
    assert send(hasty.port, mammogram()) == [0]


def test_an_association_that_says_nothing_more_is_ended_and_what_it_sent_stays(here, hasty):
    idle = [associated(hasty.port) for _ in range(2)]
    assert idle[0].send_c_store(pydicom.dcmread(io.BytesIO(mammogram()))).Status == 0
    # Both places are taken: a third is turned away, and let in when they have ended.
    assert not associated(hasty.port).is_established
    wait_until(lambda: not any(one.is_established for one in idle))
    third = wait_until(lambda: (one := associated(hasty.port)).is_established and one)
    assert third.send_c_store(pydicom.dcmread(io.BytesIO(mammogram(1)))).Status == 0
    third.release()
    assert len(rows(here, Image)) == 2
    wait_until(lambda: all(batch.finished_at for batch in rows(here, ImportBatch)))


def test_an_object_that_stops_half_way_is_not_kept_and_comes_whole_when_it_is_sent_again(here, hasty):
    association = associated(hasty.port)
    command = pydicom.Dataset()
    command.AffectedSOPClassUID, command.AffectedSOPInstanceUID = MG, "1.2.3"
    command.CommandField, command.MessageID, command.Priority, command.CommandDataSetType = 1, 1, 2, 1
    from pynetdicom.dsutils import encode

    said = encode(command, is_implicit_vr=True, is_little_endian=True)
    assert said
    said = struct.pack("<HHLL", 0, 0, 4, len(said)) + said
    context = association.accepted_contexts[0].context_id
    raw = association.dul.socket.socket
    for control, part in ((3, said), (0, mammogram()[:9000])):
        raw.sendall(pdu(4, struct.pack(">LBB", len(part) + 2, context, control) + part))
    begun = time.monotonic()
    wait_until(lambda: not association.is_established)
    assert time.monotonic() - begun < 10
    assert rows(here, ImportItem) == []
    assert send(hasty.port, mammogram()) == [0]


def test_a_release_that_is_never_asked_for_loses_nothing(here, hasty):
    association = associated(hasty.port)
    assert association.send_c_store(pydicom.dcmread(io.BytesIO(mammogram()))).Status == 0
    association.dul.socket.socket.close()
    wait_until(lambda: rows(here, ImportBatch) and all(one.finished_at for one in rows(here, ImportBatch)))
    assert len(rows(here, Image)) == 1
