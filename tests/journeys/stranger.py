"""Walks through the suite with grpcio, knowing only an address, a key and what reflection tells."""

import sys
import time
import uuid

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

address, key = sys.argv[1:3]
channel = grpc.insecure_channel(address)
database = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(database)
metadata = (("authorization", "Bearer " + key),)


def method(name):
    service, call = name.rsplit("/", 1)
    found = pool.FindServiceByName(service).FindMethodByName(call)
    return found, message_factory.GetMessageClass(found.input_type), message_factory.GetMessageClass(found.output_type)


def call(name, body, metadata=metadata):
    _, request, answer = method(name)
    stub = channel.unary_unary("/" + name, request_serializer=request.SerializeToString, response_deserializer=answer.FromString)
    message = json_format.ParseDict(body, request())
    return json_format.MessageToDict(stub(message, metadata=metadata, timeout=10), always_print_fields_with_no_presence=True)


def refused(name, body, code, reason, metadata=metadata):
    try:
        call(name, body, metadata)
    except grpc.RpcError as error:
        assert error.code() == code, (name, error.code(), error.details())
        status = rpc_status.from_call(error)
        details = [any_.Unpack(info) and info for any_ in status.details for info in [error_details_pb2.ErrorInfo()]]
        reasons = [info.reason for info in details if info]
        assert reasons == [reason], (name, reasons)
        bad = [request for any_ in status.details for request in [error_details_pb2.BadRequest()] if any_.Unpack(request)]
        return sorted(violation.field for request in bad for violation in request.field_violations)
    raise AssertionError(f"{name} was not refused")


services = sorted(database.get_services())
for service in ("rapport.profiles.v1.ProfileService", "rapport.metrics.v1.MetricService", "rapport.admin.v1.PrivacyService"):
    assert service in services, services

profiles, interactions = "rapport.profiles.v1.ProfileService/", "rapport.profiles.v1.InteractionService/"
email = {"namespace": "email", "value": "Maria@Example.com"}
identify = {"requestId": str(uuid.uuid4()), "source": "crm", "externalId": "77", "identifiers": [email],
            "traits": {"city": {"textValue": "Iași"}, "имя": {"textValue": "x"}}}
assert refused(profiles + "Identify", identify, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") == ["traits[…]"]
del identify["traits"]["имя"]
first = call(profiles + "Identify", identify)
assert first["outcome"] == "IDENTIFY_OUTCOME_CREATED", first
assert call(profiles + "Identify", identify) == first, "the same request gets the same answer"
identify["externalId"] = "78"
refused(profiles + "Identify", identify, grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_MISMATCH")

customer = {"identifier": {"namespace": "email", "value": "maria@example.COM"}}
profile = call(profiles + "GetProfile", {"customer": customer})
assert profile["traits"]["city"]["value"]["textValue"] == "Iași", profile
assert profile["customerId"] == first["profile"]["customerId"]

# A stream of purchases: an item that breaks a rule is an error of that item alone.
_, request, answer = method(interactions + "RecordInteractions")
stub = channel.stream_stream("/" + interactions + "RecordInteractions", request_serializer=request.SerializeToString, response_deserializer=answer.FromString)


def purchase(n, **more):
    item = {"customer": customer, "source": "shop", "externalId": str(n), "version": 1, "type": "purchase", "channel": "web",
            "occurredAt": f"2026-01-{n % 28 + 1:02}T12:00:00Z", "value": {"currencyCode": "EUR", "units": str(n)}}
    return json_format.ParseDict({"interaction": item | more}, request())


items = [purchase(n) for n in range(1, 101)] + [purchase(200, channel="NOT A CHANNEL"), purchase(201, occurredAt="2999-01-01T00:00:00Z")]
acks = list(stub(iter(items), metadata=metadata, timeout=20))
assert acks[-1].ack.through_index == 101, acks
assert sum(ack.ack.accepted for ack in acks) == 100
assert sorted(error.index for ack in acks for error in ack.ack.errors) == [100, 101]

for _ in range(200):
    points = call("rapport.metrics.v1.MetricService/QueryMetric", {"metric": "revenue"})["points"]
    if points and points[0].get("value") == 5050.0:
        break
    time.sleep(0.05)
assert points[0]["value"] == 5050.0 and points[0]["currency"] == "EUR" and points[0]["method"] == "census", points
# All of it is one customer's: what would tell it apart is withheld.
points = call("rapport.metrics.v1.MetricService/QueryMetric", {"metric": "revenue", "groupBy": ["channel"]})["points"]
assert len(points) == 1 and points[0]["suppressed"] and "value" not in points[0], points

page = call(interactions + "ListInteractions", {"customer": customer, "pageSize": 60})
rest = call(interactions + "ListInteractions", {"customer": customer, "pageSize": 60, "pageToken": page["nextPageToken"]})
assert len(page["interactions"]) == 60 and len(rest["interactions"]) == 40 and not rest["nextPageToken"]
refused(interactions + "ListInteractions", {"customer": customer, "types": ["x"], "pageToken": page["nextPageToken"]},
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")

refused(profiles + "GetProfile", {"customer": customer}, grpc.StatusCode.UNAUTHENTICATED, "INVALID_CREDENTIALS", metadata=())
refused(profiles + "GetProfile", {"customer": {"customerId": str(uuid.uuid4())}}, grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND")
bad = {"source": "NO", "externalId": "", "identifiers": [{"namespace": "email", "value": "not an address"}, {"namespace": "phone", "value": "12"}]}
fields = refused(profiles + "Identify", bad, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
assert fields == ["external_id", "identifiers[0].value", "identifiers[1].value", "source"], fields
print("done")
