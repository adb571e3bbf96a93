// Doubly linked list through the elements themselves: membership without allocation, removal in constant time.
#pragma once

#include <cstddef>

namespace wireside {

/// Base for elements. Tag allows one object to sit in several lists. Unlinks itself when destroyed.
template <class Tag>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }
  [[nodiscard]] bool is_linked() const { return next_ != nullptr; }
  void unlink() {
    if (!is_linked()) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  template <class T, class U>
  friend class IntrusiveList;
  ListNode* prev_ = nullptr;
  ListNode* next_ = nullptr;
};

/// T derives from ListNode<Tag>. The list does not own its elements.
template <class T, class Tag>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() { reset(); }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) head_.next_->unlink();
    head_.prev_ = head_.next_ = nullptr;
  }
  [[nodiscard]] bool empty() const { return head_.next_ == &head_; }
  [[nodiscard]] const T* front() const { return empty() ? nullptr : static_cast<const T*>(head_.next_); }
  [[nodiscard]] T* front() { return empty() ? nullptr : static_cast<T*>(head_.next_); }
  /// Moves the element here from wherever it is linked.
  void push_back(T& element) {
    Node& node = element;
    node.unlink();
    node.prev_ = head_.prev_;
    node.next_ = &head_;
    head_.prev_->next_ = &node;
    head_.prev_ = &node;
  }
  T* pop_front() {
    T* element = front();
    if (element != nullptr) static_cast<Node*>(element)->unlink();
    return element;
  }
  /// The element after `element`, or nullptr at the end.
  [[nodiscard]] T* next(T& element) {
    Node* node = static_cast<Node&>(element).next_;
    return node == &head_ ? nullptr : static_cast<T*>(node);
  }

 private:
  void reset() { head_.prev_ = head_.next_ = &head_; }
  Node head_;
};

}  // namespace wireside
