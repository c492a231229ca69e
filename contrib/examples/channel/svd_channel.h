// The channel of svd for a C++ program (channel: json): one JSON value a line, both ways.
#pragma once

#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <string>

class SvdChannel {
 public:
  SvdChannel() : fd_{std::atoi(std::getenv("SVD_CHANNEL_FD"))} {
    fcntl(fd_, F_SETFL, 0);  // blocking
    fcntl(fd_, F_SETFD, FD_CLOEXEC);
    in_ = fdopen(fd_, "r");
    out_ = fdopen(fcntl(fd_, F_DUPFD_CLOEXEC, 3), "w");
  }
  bool send(const std::string& json) { return std::fputs((json + "\n").c_str(), out_) >= 0 && std::fflush(out_) == 0; }
  bool receive(std::string& json) {
    json.clear();
    for (int c; (c = std::fgetc(in_)) != EOF && c != '\n';) json += static_cast<char>(c);
    return !json.empty();
  }

 private:
  int fd_;
  std::FILE *in_, *out_;
};
