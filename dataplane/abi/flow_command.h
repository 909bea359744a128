#pragma once
#include "dataplane/abi/flow_config.h"
#include "dataplane/abi/relay_config.h"

/// Control plane -> worker. At-least-once: a command carries (flow, sequence); a repeat of the last sequence of a slot is
/// answered as the first time and changes nothing. Every command gets exactly one kCommandDone event.
namespace linegate::abi {

enum class CommandType : uint32_t {
  kProgramFlow = 0x01,  ///< create or replace: ProgramFlow
  kInstallKeys =
      0x02,  ///< InstallKeys; the worker copies the key and wipes the ring record. kSend: after the flow was
             ///< programmed with the encrypted leg as its egress and `reverse`
  kRemoveFlow = 0x03,  ///< RemoveFlow; unknown generation: done, nothing to do
  kRemoveAllFlows =
      0x04,              ///< RemoveAllFlows: a control plane that knows no calls starts clean; relays go, too
  kProgramRelay = 0x05,  ///< ProgramRelay: create, or replace the configuration and keep the peers
  kSetRelayPeer = 0x06,  ///< SetRelayPeer; family 0: the entry is removed
  kRemoveRelay = 0x07,   ///< RemoveRelay; unknown generation: done, nothing to do
};

struct CommandHeader {
  uint64_t sequence =
      0;  ///< rises by one per command of this control plane life, starting above the region's last
  FlowRef flow;
  uint32_t reserved = 0;
};
static_assert(sizeof(CommandHeader) == 24);

struct ProgramFlow {
  CommandHeader header;
  FlowConfig config;
  uint8_t padding[4] = {};
};

enum class KeyUse : uint8_t { kReceive = 1, kSend = 2 };
struct InstallKeys {
  CommandHeader header;
  KeyUse use = KeyUse::kReceive;
  uint8_t key_bytes = 0;
  uint8_t salt_bytes = 0;
  uint8_t mki_bytes = 0;  ///< 0: packets carry no MKI
  uint16_t profile = 0;   ///< srtp::Profile
  uint8_t key[32] = {};
  uint8_t salt[14] = {};
  uint8_t mki[8] = {};
  uint8_t padding[4] = {};
};

struct RemoveFlow {
  CommandHeader header;
};
struct RemoveAllFlows {
  CommandHeader header;  ///< flow.worker only
};

/// In commands of relays CommandHeader::flow is a RelayRef.
struct ProgramRelay {
  CommandHeader header;
  RelayConfig config;
  uint8_t padding[4] = {};
};
struct SetRelayPeer {
  CommandHeader header;
  uint32_t index = 0;  ///< below kRelayPeers; chosen by the control plane
  RelayPeer peer;
  uint8_t padding[4] = {};
};
struct RemoveRelay {
  CommandHeader header;
};
static_assert(sizeof(ProgramRelay) == 128 && sizeof(SetRelayPeer) == 88 && sizeof(RemoveRelay) == 24);

static_assert(sizeof(ProgramFlow) == 536 && sizeof(InstallKeys) == 88 && sizeof(RemoveFlow) == 24);

}  // namespace linegate::abi
