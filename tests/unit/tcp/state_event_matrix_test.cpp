// Every state x every kind of segment, as the table in state_event_matrix.txt has it. The table says what the RFCs ask
// for; this file brings a connection into the state, sends the segment, and looks at what came of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "state_event_matrix.hpp"
#include "support/tcp_peer.hpp"

namespace wireside::testing {
namespace {

constexpr std::int64_t text_octets = 20;
constexpr std::uint16_t peer_window = 2000;  // SND.WND and MAX.SND.WND
constexpr std::uint16_t case_window = 3000;  // SEG.WND of the segments tried
constexpr std::uint32_t newer_timestamp = 1000;

const MatrixTable& table() {
  static const MatrixTable read = read_matrix(WIRESIDE_STATE_EVENT_MATRIX);
  return read;
}

/// A connection in the state of a section. Numbers are relative to the two initial sequence numbers.
class MatrixConnection {
 public:
  MatrixConnection(std::string_view section, bool timestamps)
      : section_{section}, state_{section.substr(0, section.find_first_of(" ,"))}, timestamps_{timestamps} {
    t.default_window(peer_window);
    prepare();
    if (timestamps_) ts_recent_ = answer_to_stale_segment(rcv_nxt_)->header.options.timestamps->ts_ecr;
    t.ignore_rest();
    t.take_events();
  }

  /// Empty when the case went as `row` says, else what differs.
  std::string play(const MatrixCase& c, const MatrixRow& row);
  /// The case says something in this state that others do not say already.
  [[nodiscard]] bool makes_sense(const MatrixCase& c) const;
  [[nodiscard]] std::string transcript() const { return t.transcript(); }

 private:
  void prepare();
  void open_passively();
  void open_actively();
  void exchange();
  void close_window();
  void learn();
  void at(std::int64_t una, std::int64_t nxt, std::int64_t rcv_nxt);
  /// Both sides' numbers are known, so there is a receive window.
  [[nodiscard]] bool has_window() const { return has_window_; }
  [[nodiscard]] bool opens_anew(std::string_view next) const {
    return next == "SYN-RECEIVED" && state_ != "SYN-RECEIVED";
  }
  [[nodiscard]] std::int64_t seq_of(std::string_view position) const;
  [[nodiscard]] std::int64_t ack_of(std::string_view ack) const;
  [[nodiscard]] std::string segment(const MatrixCase& c, std::int64_t seq) const;
  [[nodiscard]] std::string state_now() const;
  /// RCV.NXT after the case.
  [[nodiscard]] std::int64_t rcv_nxt_after(const MatrixCase& c, const MatrixRow& row, std::string_view next) const;
  std::string judge_reply(const MatrixCase& c, const MatrixRow& row, std::string_view reply, std::string_view next);
  std::string judge_user(const MatrixCase& c, const MatrixRow& row);
  std::string judge_acked(const MatrixCase& c, const MatrixRow& row) const;
  std::string judge_stale_segment(const MatrixCase& c, const MatrixRow& row, std::string_view next);
  std::string judge_next_text(std::int64_t rcv_nxt);
  std::optional<tcp::OutgoingSegment> answer_to_stale_segment(std::int64_t rcv_nxt);

  std::string_view section_, state_;
  bool timestamps_;
  bool has_window_ = false;
  std::int64_t una_ = 0, nxt_ = 0;       // ours
  std::int64_t rcv_nxt_ = 0, edge_ = 0;  // the peer's
  std::int64_t wl1_ = 0, wl2_ = 0;       // SND.WL1 and SND.WL2
  std::int64_t data_end_ = 1;            // behind what the application gave
  std::int64_t unread_ = 0;              // octets it could have read before
  std::uint32_t ts_recent_ = 0;
  std::vector<tcp::OutgoingSegment> replies_;
  TcpPeer t;
};

void MatrixConnection::learn() {  // the right edge, as the last segment of ours told it
  while (t.pending() > 0) {
    const auto s = t.any();
    if (s.header.flags.ack) {
      const auto& h = s.header;
      edge_ = std::int64_t{h.ack - SeqNum{PeerSetup{}.peer_isn}} + h.window;
    }
  }
}

void MatrixConnection::at(std::int64_t una, std::int64_t nxt, std::int64_t rcv_nxt) {
  learn();
  una_ = una;
  nxt_ = nxt;
  rcv_nxt_ = rcv_nxt;
  has_window_ = true;
}

void MatrixConnection::open_passively() {
  ConnectionOptions o;
  if (section_.ends_with("closed window")) o.receive_buffer = 1000;
  t.listen(16, o);
  t.in(timestamps_ ? "S 0 <mss 1460,TS val 1 ecr 0>" : "S 0 <mss 1460>");
  at(0, 1, 1);
}

void MatrixConnection::open_actively() {
  t.connect();
  learn();
  nxt_ = 1;
}

/// Data both ways: SND.UNA is 1001, octets 1001 to 1100 are in flight, RCV.NXT is 501.
void MatrixConnection::exchange() {
  t.in("P. 1+500 ack 1");
  t.wait(100ms);  // delayed ACK
  t.read_exactly(500);
  t.send(1000);
  t.in(". 501 ack 1001");
  t.send(100);
  at(1001, 1101, 501);
  wl1_ = 501;
  wl2_ = 1001;
  data_end_ = 1101;
}

/// The application leaves unread what fills the window.
void MatrixConnection::close_window() {
  t.in(". 501+1000 ack 1001");
  t.wait(50ms);
  at(1001, 1101, 1501);
  wl1_ = 501;
  unread_ = 1000;
}

void MatrixConnection::prepare() {
  if (section_ == "CLOSED") return;
  if (section_ == "LISTEN") return t.listen();
  if (section_ == "SYN-SENT") return open_actively();
  if (section_ == "SYN-RECEIVED passive") return open_passively();
  if (section_ == "SYN-RECEIVED simultaneous") {
    open_actively();
    t.in(timestamps_ ? "S 0 <mss 1460,TS val 1 ecr 0>" : "S 0 <mss 1460>");
    return at(0, 1, 1);
  }
  if (section_ == "TIME-WAIT") {  // of an active open: nobody listens
    open_actively();
    t.in(timestamps_ ? "S. 0 ack 1 <mss 1460,TS val 1 ecr last>" : "S. 0 ack 1 <mss 1460>");
    learn();
  } else {
    open_passively();
    t.in(". 1 ack 1");
    t.accept();
  }
  exchange();
  if (section_ == "ESTABLISHED, closed window") return close_window();
  if (state_ == "ESTABLISHED") return;
  if (state_ == "CLOSE-WAIT" || state_ == "LAST-ACK") {
    t.in("F. 501 ack 1001");
    t.eof();
    at(1001, 1101, 502);
    if (state_ == "CLOSE-WAIT") return;
    t.shutdown();
    return at(1001, 1102, 502);
  }
  t.shutdown();
  at(1001, 1102, 501);
  if (state_ == "FIN-WAIT-1") return;
  if (state_ == "CLOSING") {
    t.in("F. 501 ack 1001");
    t.eof();
    return at(1001, 1102, 502);
  }
  t.in(". 501 ack 1102");
  at(1102, 1102, 501);
  wl2_ = 1102;
  if (state_ == "FIN-WAIT-2") return;
  t.in("F. 501 ack 1102");
  t.eof();
  at(1102, 1102, 502);
}

bool MatrixConnection::makes_sense(const MatrixCase& c) const {
  if (!has_window() && c.position != "exact") return false;  // there is no window yet
  if (c.ack == "part" && nxt_ - una_ < 2) return false;
  return c.ack != "dup" || una_ != nxt_;
}

std::int64_t MatrixConnection::seq_of(std::string_view position) const {
  if (position == "ahead") return rcv_nxt_ + 100;
  if (position == "left") return rcv_nxt_ - 100;
  if (position == "right") return edge_ + 100;
  if (position == "last") return rcv_nxt_ - 1;
  if (position == "over-left") return rcv_nxt_ - text_octets / 2;
  if (position == "over-right") return edge_ - text_octets / 2;
  return rcv_nxt_;
}

std::int64_t MatrixConnection::ack_of(std::string_view ack) const {
  if (ack == "part") return nxt_ - 1;
  if (ack == "dup") return una_;
  if (ack == "old") return una_ - 1;
  if (ack == "ancient") return una_ - peer_window - 1;
  if (ack == "too-new") return nxt_ + 1;
  return nxt_;
}

std::string MatrixConnection::segment(const MatrixCase& c, std::int64_t seq) const {
  std::string flags;
  if (c.event.syn) flags += "S";
  if (c.event.fin) flags += "F";
  if (c.event.rst) flags += "R";
  if (c.event.psh_urg) flags += "PU";
  if (c.ack != "absent") flags += ".";
  if (flags.empty()) flags = "-";
  std::string text = flags + " " + std::to_string(seq);
  if (c.has_text()) text += "+" + std::to_string(text_octets);
  if (c.ack != "absent") text += " ack " + std::to_string(ack_of(c.ack));
  text += " win " + std::to_string(case_window);
  if (c.timestamp == "newer" && !c.event.rst) text += " <TS val " + std::to_string(newer_timestamp) + " ecr last>";
  if (c.timestamp == "older") text += " <TS val 0 ecr last>";
  if (c.timestamp == "missing") text += " <nop>";
  return text;
}

std::string MatrixConnection::state_now() const {
  std::string found;
  auto& layer = const_cast<TcpPeer&>(t).layer();
  for (const auto& entry : layer.list()) {
    if (entry.tuple != t.tuple()) continue;
    if (entry.state != TcpState::Closed) return std::string{to_string(entry.state)};
    found = "CLOSED";  // of a connection the application still holds
  }
  if (!found.empty()) return found;
  return layer.list_listeners().empty() ? "CLOSED" : "LISTEN";
}

std::int64_t MatrixConnection::rcv_nxt_after(const MatrixCase& c, const MatrixRow& row, std::string_view next) const {
  std::int64_t rcv_nxt = rcv_nxt_;
  if (c.event.syn && (!has_window() || opens_anew(next))) rcv_nxt = seq_of(c.position) + 1;
  if (row.taken.starts_with("text")) rcv_nxt += c.position == "over-left" ? text_octets / 2 : text_octets;
  return rcv_nxt + (row.taken.ends_with("fin") ? 1 : 0);
}

/// The relative numbers a reply must have follow from the table's words.
std::string MatrixConnection::judge_reply(const MatrixCase& c, const MatrixRow& row, std::string_view reply,
                                          std::string_view next) {
  const std::int64_t length = (c.has_text() ? text_octets : 0) + c.event.syn + c.event.fin;
  const std::int64_t rcv_nxt = rcv_nxt_after(c, row, next);
  std::string wanted;
  if (reply == "ack") wanted = ". " + std::to_string(nxt_) + " ack " + std::to_string(rcv_nxt);
  if (reply == "syn+ack") wanted = "S. 0 ack " + std::to_string(rcv_nxt);
  if (reply == "rst") wanted = "R " + std::to_string(ack_of(c.ack));
  if (reply == "rst+ack") wanted = "R. 0 ack " + std::to_string(seq_of(c.position) + length);
  if (reply == "-") return replies_.empty() ? std::string{} : "a reply came where none is due";
  if (replies_.size() != 1) {
    return "expected one reply, \"" + wanted + "\"; there were " + std::to_string(replies_.size());
  }
  const auto& s = replies_.front();
  const SeqNum ours = reply == "rst+ack" ? SeqNum{} : t.our_iss();
  const auto what = difference(parse_segment(wanted), s.header, s.payload.octets(), ours, SeqNum{PeerSetup{}.peer_isn});
  return what.empty() ? what : "expected the reply \"" + wanted + "\"; differs: " + what;
}

/// RFC 9293 section 3.10.7.4 fifth, as the text has it.
std::string MatrixConnection::judge_acked(const MatrixCase& c, const MatrixRow& row) const {
  auto& layer = const_cast<TcpPeer&>(t).layer();
  const auto status = layer.status(t.handle());
  if (!status || status->state == TcpState::Closed || status->state == TcpState::TimeWait) return {};
  const bool opening = state_.starts_with("SYN-");
  const std::int64_t ack = ack_of(c.ack), seq = seq_of(c.position);
  std::int64_t una = una_;
  std::int64_t wnd = state_ == "SYN-SENT" ? 0 : peer_window;
  if (row.acked == "wnd") wnd = case_window;
  if (row.acked == "fifth") {
    if (una < ack && ack <= nxt_) una = ack;
    const bool fresh = wl1_ < seq || (wl1_ == seq && wl2_ <= ack);
    if (opening || (una_ <= ack && ack <= nxt_ && fresh)) wnd = case_window;
  }
  const std::int64_t queued = std::max<std::int64_t>(data_end_ - std::max<std::int64_t>(una, 1), 0);
  const std::int64_t found = status->snd_una - const_cast<TcpPeer&>(t).our_iss();
  if (found != una) return "SND.UNA is " + std::to_string(found) + ", not " + std::to_string(una);
  if (status->snd_wnd != wnd) return "SND.WND is " + std::to_string(status->snd_wnd) + ", not " + std::to_string(wnd);
  if (static_cast<std::int64_t>(status->send_queued) == queued) return {};
  return "the send queue holds " + std::to_string(status->send_queued) + " octets, not " + std::to_string(queued);
}

/// One octet left of the window, as a keep-alive is: unacceptable, so it changes nothing and is answered with an ACK.
std::optional<tcp::OutgoingSegment> MatrixConnection::answer_to_stale_segment(std::int64_t rcv_nxt) {
  t.discard();
  const std::string stamp = timestamps_ ? " <TS val 500 ecr last>" : "";
  t.in(". " + std::to_string(rcv_nxt - 1) + " ack " + std::to_string(std::max<std::int64_t>(una_, 1)) + stamp);
  if (t.pending() != 1) return std::nullopt;
  return t.any();
}

std::string MatrixConnection::judge_stale_segment(const MatrixCase& c, const MatrixRow& row, std::string_view next) {
  if (!has_window() || is_listed("CLOSED,LISTEN", next) || opens_anew(next)) return {};
  const std::int64_t rcv_nxt = rcv_nxt_after(c, row, next);
  const auto answer = answer_to_stale_segment(rcv_nxt);
  if (!answer) return "a segment left of the window had no answer then";
  const auto& h = answer->header;
  const std::int64_t ack = h.ack - SeqNum{PeerSetup{}.peer_isn};
  if (ack != rcv_nxt || h.seq - t.our_iss() != nxt_) return "another segment was answered with other numbers";
  if (!timestamps_) return {};
  const bool taken = c.timestamp == "newer" && row.acked == "fifth" && seq_of(c.position) <= rcv_nxt_;
  const std::uint32_t recent = h.options.timestamps->ts_ecr;
  // RFC 6191 section 2 asks for the largest timestamp seen: the peer's FIN once more may bring it.
  const bool open = state_ == "TIME-WAIT" && c.event.fin && c.position == "last" && c.timestamp == "newer";
  if (recent == (taken ? newer_timestamp : ts_recent_) || (open && recent == newer_timestamp)) return {};
  return "TS.Recent is " + std::to_string(recent) + (taken ? ", not the segment's" : ", which was not to change");
}

/// An honest segment: whatever came before, it counts.
std::string MatrixConnection::judge_next_text(std::int64_t rcv_nxt) {
  auto status = t.layer().status(t.handle());
  if (!has_window() || !status ||
      !is_listed("ESTABLISHED,FIN-WAIT-1,FIN-WAIT-2,SYN-RECEIVED", to_string(status->state))) {
    return {};
  }
  const std::string stamp = timestamps_ ? " <TS val 2000 ecr last>" : "";
  t.in(". " + std::to_string(rcv_nxt) + "+" + std::to_string(text_octets) + " ack " + std::to_string(nxt_) + stamp);
  const auto octets = static_cast<std::int64_t>(t.read());
  if (octets != text_octets) return "of the next text " + std::to_string(octets) + " octets were taken";
  status = t.layer().status(t.handle());
  return status->snd_una - t.our_iss() == nxt_ ? std::string{} : "the next ACK did not count";
}

std::string MatrixConnection::judge_user(const MatrixCase& c, const MatrixRow& row) {
  std::string user;
  const auto add = [&](std::string_view word) {
    if (!is_listed(user, word, '+')) user += (user.empty() ? "" : "+") + std::string{word};
  };
  const bool half_open = !t.handle().is_valid();
  for (const auto& event : t.take_events()) {
    if (event.kind == EventKind::Connected || event.kind == EventKind::AcceptReady) add("opened");
    if (event.kind == EventKind::Failed) add(event.error == Error::ConnectionRefused ? "refused" : "reset");
  }
  if (half_open && user == "opened") t.accept();
  const auto octets = static_cast<std::int64_t>(t.read());
  std::uint8_t octet = 0;
  const auto more = t.layer().receive(t.now(), t.handle(), {&octet, 1});
  const bool had_fin = is_listed("CLOSE-WAIT,CLOSING,LAST-ACK,TIME-WAIT", state_);
  const bool fin = more.has_value() && *more == 0 && !had_fin;
  if (fin) add("closing");
  if (user.empty()) user = "-";
  std::int64_t wanted = row.next == "CLOSED" ? 0 : unread_;  // 3.10.7.4 second: "all segment queues should be flushed"
  if (row.taken.starts_with("text")) wanted += c.position == "over-left" ? text_octets / 2 : text_octets;
  if (octets != wanted) return "the application got " + std::to_string(octets) + " octets";
  if (fin != row.taken.ends_with("fin")) return fin ? "the application saw the end" : "the application saw no end";
  return is_listed(row.user, user) ? std::string{} : "the application was told: " + user;
}

std::string MatrixConnection::play(const MatrixCase& c, const MatrixRow& row) {
  if (const auto now = state_now(); now != state_) return "the preparation ended in " + now;
  std::int64_t seq = seq_of(c.position);
  if (state_ == "TIME-WAIT" && row.next != "=") {  // the SYN of the next connection
    t.peer_isn(PeerSetup{}.peer_isn + static_cast<std::uint32_t>(seq));
    seq = 0;
  }
  t.in(segment(c, seq));
  t.wait(100ms);  // a delayed ACK; shorter than any retransmission timeout
  replies_.clear();
  while (t.pending() > 0) replies_.push_back(t.any());
  std::string next, wrong;
  const auto nexts = split_words(row.next);
  std::size_t i = 0;
  for (const auto& reply : split_words(row.reply)) {
    next = nexts[std::min(i++, nexts.size() - 1)];
    wrong = judge_reply(c, row, reply, next);
    if (wrong.empty()) break;
  }
  if (!wrong.empty()) return wrong;
  if (next == "=") next = state_;
  if (const auto now = state_now(); now != next) return "the state is " + now;
  if (wrong = judge_stale_segment(c, row, next); !wrong.empty()) return wrong;
  if (wrong = judge_user(c, row); !wrong.empty()) return wrong;
  if (wrong = judge_acked(c, row); !wrong.empty()) return wrong;
  wrong = judge_next_text(rcv_nxt_after(c, row, next));
  t.discard();
  return t.broken() ? "the peer complains (above)" : wrong;
}

// ---------------------------------------------------------------------------------------------------------------------

/// What is said of the timestamp in this state, then of the timestamp, then of the state.
const MatrixRow* row_for(std::string_view section, const MatrixCase& c) {
  const std::string kind = "timestamp " + std::string{c.timestamp};
  for (const auto& first : {std::string{section} + ", " + kind, kind}) {
    const auto* row = find_row(table(), first, c);
    if (row != nullptr && row->reply != "table") return row;
  }
  return find_row(table(), section, c);
}

/// Plays every case of a section; tells how many.
int play_section(std::string_view section, bool timestamps) {
  int played = 0, wrong = 0;
  for (const auto& c : matrix_cases(timestamps)) {
    MatrixConnection connection{section, timestamps};
    if (!connection.makes_sense(c)) continue;
    const auto* row = row_for(section, c);
    if (row == nullptr) {
      ADD_FAILURE() << section << ": no row for " << describe(c);
      continue;
    }
    ++played;
    const auto difference = connection.play(c, *row);
    if (difference.empty()) continue;
    if (++wrong <= 20) {
      ADD_FAILURE() << section << ", " << describe(c) << "\n  " << describe(*row) << "\n  " << difference << "\n"
                    << connection.transcript();
    }
  }
  if (wrong > 0) ADD_FAILURE() << section << ": " << wrong << " of " << played << " cases went otherwise";
  return played;
}

int play_section(std::string_view section) { return play_section(section, false) + play_section(section, true); }

// RFC 9293 section 3.10.7.1
TEST(TcpStateEventMatrix, Closed) { EXPECT_EQ(play_section("CLOSED", false), 40); }

// RFC 9293 section 3.10.7.2
TEST(TcpStateEventMatrix, Listen) { EXPECT_EQ(play_section("LISTEN", false), 40); }

// RFC 9293 section 3.10.7.3, MUST-10
TEST(TcpStateEventMatrix, SynSent) { EXPECT_GT(play_section("SYN-SENT", false), 30); }

// RFC 9293 section 3.10.7.4, MUST-11
TEST(TcpStateEventMatrix, SynReceivedPassive) { EXPECT_GT(play_section("SYN-RECEIVED passive"), 1000); }

// RFC 9293 section 3.10.7.4, MUST-10, MUST-11
TEST(TcpStateEventMatrix, SynReceivedSimultaneous) { EXPECT_GT(play_section("SYN-RECEIVED simultaneous"), 1000); }

// RFC 9293 section 3.10.7.4; RFC 5961; RFC 7323 sections 3.2 and 5.3
TEST(TcpStateEventMatrix, Established) { EXPECT_GT(play_section("ESTABLISHED"), 1000); }

// RFC 9293 section 3.10.7.4 first, MUST-66
TEST(TcpStateEventMatrix, EstablishedWithAClosedWindow) { EXPECT_GT(play_section("ESTABLISHED, closed window"), 1000); }

// RFC 9293 section 3.10.7.4
TEST(TcpStateEventMatrix, FinWait1) { EXPECT_GT(play_section("FIN-WAIT-1"), 1000); }

// RFC 9293 section 3.10.7.4
TEST(TcpStateEventMatrix, FinWait2) { EXPECT_GT(play_section("FIN-WAIT-2"), 1000); }

// RFC 9293 section 3.10.7.4
TEST(TcpStateEventMatrix, CloseWait) { EXPECT_GT(play_section("CLOSE-WAIT"), 1000); }

// RFC 9293 section 3.10.7.4
TEST(TcpStateEventMatrix, Closing) { EXPECT_GT(play_section("CLOSING"), 1000); }

// RFC 9293 section 3.10.7.4
TEST(TcpStateEventMatrix, LastAck) { EXPECT_GT(play_section("LAST-ACK"), 1000); }

// RFC 9293 section 3.10.7.4, EV-26, EV-35; RFC 1337
TEST(TcpStateEventMatrix, TimeWait) { EXPECT_GT(play_section("TIME-WAIT"), 1000); }

// RFC 9293 section 3.10.7.4, MAY-2; RFC 6191 TW-01, TW-02
TEST(TcpStateEventMatrix, TimeWaitWithAListener) { EXPECT_GT(play_section("TIME-WAIT with a listener"), 1000); }

// A row that no case reaches says nothing, and a hole in the table would hide a case.
TEST(TcpStateEventMatrix, EveryRowIsReached) {
  for (const auto& [section, rows] : table()) {
    for (const auto& row : rows) {
      bool reached = false;
      for (const auto& c : matrix_cases(false)) {
        reached |= find_row(table(), section, c) == &row;
      }
      EXPECT_TRUE(reached) << section << ", " << describe(row);
    }
  }
}

}  // namespace
}  // namespace wireside::testing
