#include "base/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace wireside {
namespace {

TEST(Error, MapsToErrno) {
  EXPECT_EQ(to_errno(Error::WouldBlock), EAGAIN);
  EXPECT_EQ(to_errno(Error::InProgress), EINPROGRESS);
  EXPECT_EQ(to_errno(Error::AddressInUse), EADDRINUSE);
  EXPECT_EQ(to_errno(Error::ConnectionRefused), ECONNREFUSED);
  EXPECT_EQ(to_errno(Error::ConnectionReset), ECONNRESET);
  EXPECT_EQ(to_errno(Error::TimedOut), ETIMEDOUT);
  EXPECT_EQ(to_errno(Error::HostUnreachable), EHOSTUNREACH);
  EXPECT_EQ(to_errno(Error::NetworkUnreachable), ENETUNREACH);
  EXPECT_EQ(to_errno(Error::MessageTooLong), EMSGSIZE);
  EXPECT_EQ(to_errno(Error::BrokenPipe), EPIPE);
  EXPECT_EQ(to_errno(Error::NotConnected), ENOTCONN);
  EXPECT_EQ(to_errno(Error::PermissionDenied), EACCES);
  EXPECT_EQ(to_errno(Error::ProtocolOption), ENOPROTOOPT);
  EXPECT_EQ(to_errno(Error::NotSupported), EOPNOTSUPP);
  EXPECT_EQ(to_errno(Error::Malformed), EBADMSG);
}

TEST(Error, EveryValueHasItsOwnWords) {
  std::set<std::string> descriptions;
  for (int i = 0; i <= static_cast<int>(Error::Truncated); ++i) {
    const auto e = static_cast<Error>(i);
    EXPECT_NE(to_errno(e), 0) << i;
    EXPECT_EQ(errno_name(e).substr(0, 1), "E") << i;
    EXPECT_TRUE(descriptions.insert(std::string{describe(e)}).second) << describe(e);
  }
}

}  // namespace
}  // namespace wireside
