// SPDX-License-Identifier: Apache-2.0
#include "ipc/cluster.h"
#include "ipc/envelope.h"
#include "support/catch.h"

using namespace svd::ipc;
using Lane = Line::Lane;
using Act = FromWorker::Act;

namespace {

Line read(std::string_view text) {
  const auto line = read_line(text);
  REQUIRE(line);
  return *line;
}

JsonView written(const std::string& line) {
  REQUIRE(line.ends_with('\n'));
  static std::string kept;
  kept = line;
  const auto view = JsonView::parse(kept);
  REQUIRE(view);
  return *view;
}

}  // namespace

TEST_CASE("a line is internal when its cmd is longer than NODE_ and begins with it", "[ipc]") {
  const auto [text, lane] = GENERATE(table<std::string, Lane>({
      {R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})", Lane::cluster},
      {R"({"cmd":"NODE_SVD","act":"idle"})", Lane::cluster},
      {R"({"cmd":"NODE_HANDLE_ACK"})", Lane::handle_ack},
      {R"({"cmd":"NODE_HANDLE_NACK"})", Lane::handle_nack},
      {R"({"cmd":"NODE_WHATEVER"})", Lane::internal},
      {R"({"\u0063md":"NODE_X"})", Lane::internal},
      {R"({"cmd":"\u004eODE_X"})", Lane::internal},
      {R"({"cmd":"NODE_"})", Lane::program},
      {R"({"cmd":"node_cluster"})", Lane::program},
      {R"({"cmd":7,"text":"NODE_CLUSTER"})", Lane::program},
      {R"(["NODE_CLUSTER"])", Lane::program},
      {R"("NODE_CLUSTER")", Lane::program},
      {"12", Lane::program},
      {"null", Lane::program},
  }));
  CAPTURE(text);
  CHECK(read(text).lane == lane);
}

TEST_CASE("what is no JSON is no line", "[ipc]") {
  CHECK_FALSE(read_line("{\"cmd\":\"NODE_CLUSTER\""));
  CHECK_FALSE(read_line("hello"));
}

TEST_CASE("queryServer as Node 16 to 26 writes it", "[ipc]") {
  const auto [text, want] = GENERATE(table<std::string, Query>({
      {R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":8000,"addressType":4,"backlog":0,"seq":1})",
       {.type = Query::Type::tcp4, .address = std::nullopt, .port = 8000}},
      {R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":"::1","port":8000,"addressType":6,"flags":1,"index":0,"data":null,"seq":1})",
       {.type = Query::Type::tcp6, .address = "::1", .port = 8000, .flags = 1}},
      {R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":"/run/a \"b\".sock","port":-1,"addressType":-1,"readableAll":true,"writableAll":false,"index":0,"data":null,"seq":1})",
       {.type = Query::Type::unix_stream, .address = "/run/a \"b\".sock", .port = -1, .readable_all = true}},
      {R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":null,"port":null,"addressType":null,"fd":3,"index":0,"data":null,"seq":1})",
       {.type = Query::Type::tcp4, .address = std::nullopt, .port = 0, .fd = 3}},
      {R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":"127.0.0.1","port":53,"addressType":"udp4","fd":-1,"flags":4,"index":2,"data":null,"seq":1})",
       {.type = Query::Type::udp4, .address = "127.0.0.1", .port = 53, .fd = -1, .index = 2, .flags = 4}},
      {R"({"cmd":"NODE_CLUSTER","act":"queryServer","address":null,"port":443,"addressType":4,"index":0,"data":{"ticketKeys":"00ff"},"seq":1})",
       {.type = Query::Type::tcp4, .address = std::nullopt, .port = 443, .data = R"({"ticketKeys":"00ff"})"}},
  }));
  CAPTURE(text);
  const auto line = read(text);
  REQUIRE(line.message.act == Act::query_server);
  CHECK(line.message.seq == 1);
  REQUIRE(line.message.query);
  CHECK(*line.message.query == want);
}

TEST_CASE("a question that makes no sense has no query", "[ipc]") {
  const auto members = GENERATE(
      as<std::string>{},
      R"("address":null,"port":-1,"addressType":-1)",  // Node 16, 18: a server that was sent
      R"("address":null,"port":70000,"addressType":4)", R"("address":null,"port":-1,"addressType":4)",
      R"("address":null,"port":1,"addressType":"udp5")", R"("address":null,"port":1,"addressType":5)",
      R"("address":null,"port":1)", R"("port":"8000")");
  CAPTURE(members);
  const auto line = read(R"({"cmd":"NODE_CLUSTER","act":"queryServer","seq":1,)" + members + "}");
  CHECK(line.message.act == Act::query_server);
  CHECK_FALSE(line.message.query);
}

TEST_CASE("an unknown act or field is passed over", "[ipc]") {
  CHECK(read(R"({"cmd":"NODE_CLUSTER","act":"suicide","seq":1})").message.act == Act::none);
  CHECK(read(R"({"cmd":"NODE_CLUSTER","act":["online"],"seq":"1"})").message.act == Act::none);
  CHECK(read(R"({"cmd":"NODE_SVD","act":"online"})").message.act == Act::none);
  CHECK_FALSE(read(R"({"cmd":"NODE_CLUSTER","act":"online","seq":"1"})").message.seq);
}

TEST_CASE("a handle wraps what comes with it", "[ipc]") {
  const auto line = read(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"hello":[1]},"key":"x"})");
  CHECK(line.with_handle);
  CHECK(line.handle_type == "net.Socket");
  CHECK(line.lane == Lane::program);
  CHECK(line.body.text() == R"({"hello":[1]})");
  const auto empty = read(R"({"cmd":"NODE_HANDLE","type":"net.Socket"})");
  CHECK(empty.with_handle);
  CHECK(empty.body.text() == "null");
  CHECK(read(R"({"cmd":"NODE_HANDLE","msg":{"cmd":"NODE_CLUSTER","act":"online"}})").message.act ==
        Act::online);
}

TEST_CASE("what we write is what Node reads", "[ipc]") {
  const Query udp{.type = Query::Type::udp6};
  auto line = written(write_shared({}, "k\"1", R"({"a":1})", 5, 9));
  CHECK(line.string("cmd") == "NODE_HANDLE");
  CHECK(line.string("type") == "net.Native");
  CHECK(line.member("msg")->text() ==
        R"({"cmd":"NODE_CLUSTER","errno":0,"key":"k\"1","ack":5,"data":{"a":1},"seq":9})");
  CHECK(written(write_shared(udp, "k", "null", 5, 9)).string("type") == "dgram.Native");

  line = written(write_round_robin(SocketAddress{"::", true, 80}, "k", "null", 5, 9));
  CHECK(line.member("sockname")->text() == R"({"address":"::","family":"IPv6","port":80})");
  CHECK_FALSE(written(write_round_robin(std::nullopt, "k", "null", 5, 9)).member("sockname"));
  CHECK(written(write_failure(98, "k", "null", 5, 9)).integer("errno") == -98);
  CHECK(written(write_connection("k", 7)).member("msg")->text() ==
        R"({"cmd":"NODE_CLUSTER","act":"newconn","key":"k","seq":7})");
  CHECK(written(write_acknowledgement(3, 7)).text() == R"({"cmd":"NODE_CLUSTER","ack":3,"seq":7})");
  CHECK(written(write_disconnect(7)).text() == R"({"cmd":"NODE_CLUSTER","act":"disconnect","seq":7})");
}

TEST_CASE("what waits to be sent tells the next engine which socket goes with it", "[ipc]") {
  CHECK(lent_key(write_shared({}, "a:1", "null", 5, 9)) == "a:1");
  CHECK_FALSE(lent_key(write_connection("a:1", 9)));
  CHECK_FALSE(lent_key(write_failure(98, "a:1", "null", 5, 9)));
  CHECK_FALSE(lent_key(write_handle("net.Socket", R"({"key":"a:1"})")));
  CHECK_FALSE(lent_key("{\"cmd\":\"NODE_HANDLE\",broken"));
}

TEST_CASE("a message may be for the supervisor, for another program, or for outside", "[ipc]") {
  using Kind = Envelope::Kind;
  const auto [text, kind] = GENERATE(table<std::string, Kind>({
      {R"("ready")", Kind::ready},
      {R"({"svd":"ready"})", Kind::ready},
      {R"({"svd":"idle"})", Kind::idle},
      {R"({"svd":"restart"})", Kind::wrong},
      {R"({"svd":{"to":"api/0"},"data":1})", Kind::letter},
      {R"({"data":1,"svd":{"to":"api/0"}})", Kind::letter},
      {R"({"svd":{"to":7}})", Kind::wrong},
      {R"({"svd":null})", Kind::wrong},
      {R"({"text":"svd"})", Kind::outside},
      {R"({"data":{"svd":"ready"}})", Kind::outside},
      {R"(["svd"])", Kind::outside},
      {R"("Ready")", Kind::outside},
      {"1", Kind::outside},
  }));
  CAPTURE(text);
  CHECK(read_envelope(*JsonView::parse(text)).kind == kind);
}

TEST_CASE("a letter's content is passed on as it was written", "[ipc]") {
  const std::string text =
      R"({"svd":{"to":"api","id":{"n":1}},"data": {"z":1.50,"a":12345678901234567890,"\u00e9":"\ud800"} })";
  const auto envelope = read_envelope(*JsonView::parse(text));
  CHECK(envelope.to == "api");
  CHECK(envelope.id == R"({"n":1})");
  CHECK(write_letter("web/1", envelope.data) ==
        R"({"svd":{"from":"web/1"},"data":{"z":1.50,"a":12345678901234567890,"\u00e9":"\ud800"}})"
        "\n");
  CHECK(read_envelope(*JsonView::parse(R"({"svd":{"to":"a"}})")).data == "null");
  CHECK(write_refusal("cannot \"x\"", "api/2", "7") ==
        R"({"svd":{"error":"cannot \"x\"","to":"api/2","id":7}})"
        "\n");
  CHECK(write_refusal("e", "", "") == R"({"svd":{"error":"e"}})"
                                      "\n");
  CHECK(write_value(*JsonView::parse(" {\n\"a\":\r\n1} ")) == "{ \"a\":  1}\n");
}
