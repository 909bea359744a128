"""OAuth (RFC 7635): coturn's client with the keys built into it, and tokens that must be refused."""
import base64
import ctypes
import os
import struct
import time

import lab
import stun
from cases import allocations, case, client, require, succeeded
from clients import plain

# What `turnutils_uclient -J` seals its tokens with, a key of its choice for each: AES-256 and AES-128.
KEYS = {"north": b"01234567890123456789012345678901", "union": b"1234567890123456", "oldempire": b"12345678901234567890123456789012"}
SERVER = "auth.lab.example"
CLOCK_SKEW_S = 5

plain("oauth_udp", "OAuth tokens, UDP", "-J", "-c", credentials=(), config="optional")
plain("oauth_tcp", "OAuth tokens, TCP, Send and Data indications", "-J", "-t", "-s", "-c", credentials=(), config="optional")
plain("oauth_tcp_relay", "OAuth tokens, relayed TCP", "-J", "-T", credentials=(), config="optional")
plain("oauth_tls", "OAuth tokens, TLS, ten clients", "-J", "-t", "-S", "-c", "-m", 10, credentials=(), clients=10, config="optional")


def settings():
    """The lines of [turn] that let these tokens in."""
    keys = ", ".join(f'{{ kid = "{kid}", key = "{base64.b64encode(key).decode()}" }}' for kid, key in KEYS.items())
    return f'oauth_keys = [{keys}]\noauth_server = "{SERVER}"'


def seal(key, nonce, associated_data, plain_text):
    """AES-GCM by the libcrypto that is there anyway; the tag follows the text."""
    crypto = ctypes.CDLL("libcrypto.so.3")
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_256_gcm"):
        getattr(crypto, name).restype = ctypes.c_void_p
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(crypto.EVP_aes_128_gcm() if len(key) == 16 else crypto.EVP_aes_256_gcm())
    sealed, tag, length = ctypes.create_string_buffer(len(plain_text)), ctypes.create_string_buffer(16), ctypes.c_int()
    try:
        done = (crypto.EVP_EncryptInit_ex(context, cipher, None, key, nonce),
                crypto.EVP_EncryptUpdate(context, None, ctypes.byref(length), associated_data, len(associated_data)),
                crypto.EVP_EncryptUpdate(context, sealed, ctypes.byref(length), plain_text, len(plain_text)),
                crypto.EVP_EncryptFinal_ex(context, tag, ctypes.byref(length)),
                crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag))  # EVP_CTRL_AEAD_GET_TAG
    finally:
        crypto.EVP_CIPHER_CTX_free(context)
    require(all(one == 1 for one in done), f"libcrypto: {done}")
    return sealed.raw + tag.raw


def token(mac_key, kid="north", issued=0, lifetime_s=3600, server=SERVER, sealing_key=None):
    """RFC 7635 section 6.2. `issued`: seconds from now."""
    nonce = os.urandom(12)
    text = struct.pack("!H", len(mac_key)) + mac_key + struct.pack("!QI", int(time.time() + issued) << 16, lifetime_s)
    return struct.pack("!H", len(nonce)) + nonce + seal(sealing_key or KEYS[kid], nonce, server.encode(), text)


def allocate_with(session, made, mac_key, kid="north"):
    answer = session.ask(stun.ALLOCATE, stun.transport(), stun.attribute("ACCESS-TOKEN", made), user=kid, key=mac_key)
    require(answer is not None, "an Allocate with a token is not answered")
    return answer


@case("oauth_refused", "OAuth: expired, early, altered tokens, of another key, server, client: 401", config="optional")
def _():
    mac_key = os.urandom(20)
    good = token(mac_key)
    refused = {
        "expired": token(mac_key, issued=-3600 - CLOCK_SKEW_S - 1), "not valid yet": token(mac_key, issued=600),
        "of a key that nobody has": token(mac_key, sealing_key=bytes(32)), "of another key than it says": token(mac_key, kid="oldempire"),
        "for another server": token(mac_key, server="other.example"), "altered": good[:-1] + bytes([good[-1] ^ 1]),
        "cut off": good[:-4], "empty": b""}
    for what, made in refused.items():
        with client() as session:
            code = allocate_with(session, made, mac_key).error()
            require(code == 401, f"a token that is {what}: {code or 'success'}")
    with client() as session:
        require(allocate_with(session, good, mac_key, kid="nobody").error() == 401, "a key ID that is not known")
    with client() as session:
        require(allocate_with(session, good, os.urandom(20)).error() == 401, "somebody who has the token and not its key")
    with client() as session:
        first = session.ask(stun.ALLOCATE, stun.transport(), auth=False)
        named = first.get("THIRD-PARTY-AUTHORIZATION")
        require(first.error() == 401 and named == SERVER.encode(), f"the challenge names {named} as authorization server")


@case("oauth_lifetime", "OAuth: an allocation ends with its token", config="optional")
def _():
    for kid in KEYS:
        mac_key = os.urandom(20)
        with client() as session:
            answer = succeeded(allocate_with(session, token(mac_key, kid=kid, lifetime_s=120), mac_key, kid), f"Allocate with {kid}")
            lifetime_s = struct.unpack("!I", answer.get("LIFETIME"))[0]
            require(110 <= lifetime_s <= 120, f"a token of 120 s gives {lifetime_s} s")
            require(answer.integrity_ok(mac_key), "the answer is not signed with the token's key")
            succeeded(session.ask(stun.REFRESH, stun.lifetime(0), user=kid, key=mac_key), "Refresh without the token")
    mac_key = os.urandom(20)
    with client() as session:
        before = allocations()["allocations"]
        succeeded(allocate_with(session, token(mac_key, lifetime_s=2), mac_key), "Allocate")
        require(allocations()["allocations"] == before + 1, "linegatectl does not show it")
        lab.until("it has ended by itself", 5, lambda: allocations()["allocations"] <= before)
