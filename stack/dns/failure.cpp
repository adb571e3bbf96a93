#include "dns/failure.hpp"

namespace wireside::dns {

std::string_view describe(Failure f) {
  switch (f) {
    case Failure::EmptyName:
      return "a name cannot be empty";
    case Failure::EmptyLabel:
      return "not a host name: there is nothing between two of its dots";
    case Failure::LabelTooLong:
      return "not a host name: a part between dots has more than 63 characters";
    case Failure::NameTooLong:
      return "not a host name: it has more than 253 characters";
    case Failure::BadCharacter:
      return "not a host name: only letters, digits, hyphens, underscores and dots may occur";
    case Failure::BadHyphen:
      return "not a host name: a part between dots begins or ends with a hyphen";
    case Failure::International:
      return "international names are not supported; write the name in its xn-- form";
    case Failure::BadAddress:
      return "neither an IPv4 address nor a host name";
    case Failure::NoServer:
      return "no DNS server is known";
    case Failure::TooManyQueries:
      return "too many names are being looked up";
    case Failure::NotFound:
      return "the name does not exist (NXDOMAIN)";
    case Failure::NoData:
      return "the name exists but has no IPv4 address";
    case Failure::ChainTooLong:
      return "its aliases (CNAME) go in a circle or never end";
    case Failure::ServerFailure:
      return "the DNS servers failed to answer (SERVFAIL or REFUSED)";
    case Failure::TimedOut:
      return "no DNS server answered in time";
    case Failure::Unreachable:
      return "no DNS server could be reached";
  }
  return "unknown failure";
}

}  // namespace wireside::dns
