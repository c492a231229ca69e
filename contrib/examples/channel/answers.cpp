// Sends each letter back to whom it came from. Build it with: c++ -o answers answers.cpp
#include "svd_channel.h"

int main() {
  SvdChannel channel;
  channel.send(R"({"svd":"ready"})");
  for (std::string message; channel.receive(message);) {
    if (message == R"({"svd":"stop"})") return 0;
    const auto from = message.find(R"("from":")"), data = message.find(R"("data":)");
    if (from == message.npos || data == message.npos) continue;
    const auto name = message.substr(from + 8, message.find('"', from + 8) - from - 8);
    channel.send(R"({"svd":{"to":")" + name + R"("},)" + message.substr(data));
  }
}
