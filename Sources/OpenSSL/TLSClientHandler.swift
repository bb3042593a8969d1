import COpenSSL
import NIOCore

/// TLS on a client's channel: the server's chain and name are checked, bytes inside the pipeline are plain.
///
/// Fires ``TLSClientHandler/Established`` once the handshake is done. What is written before waits for it, and goes out
/// before the event. The server's end of TLS is fired as `ChannelEvent.inputClosed`, and closes the channel unless it
/// allows remote half-closure; an end of the stream without it is ``TLSError/truncated(host:)``. Any failure is fired
/// as a ``TLSError``, once, and closes the channel.
public final class TLSClientHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    /// The user event that says that the handshake is done and the server is who it should be.
    public struct Established: Sendable {
        /// Such as `TLSv1.3`.
        public var version: String
        /// OpenSSL's name of the cipher suite, such as `TLS_AES_256_GCM_SHA384`.
        public var cipher: String
    }

    /// The most that is held until the handshake is done, in bytes.
    public static let heldLimit = 1 << 20
    /// The most that is given to or taken from OpenSSL at once, in bytes: a TLS record's (RFC 8446, 5.1).
    private static let chunk = 16 << 10

    private let host: String
    private let ssl: OpaquePointer
    // Owned by `ssl`: what comes from the network, and what goes to it.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    // `ssl` counts its own reference; this one says whose it is, and keeps what else it reads.
    private let context: TLSClientContext
    /// Where OpenSSL puts the fingerprint of the server's certificate, where the context trusts only one.
    private let seen: UnsafeMutablePointer<UInt8>
    private var held: [(ByteBuffer, EventLoopPromise<Void>?)] = []
    private var heldBytes = 0
    private var heldOutputClose: EventLoopPromise<Void>?
    private var isEstablished = false
    /// Nothing more may be written: this side's end of TLS was sent, or is held.
    private var hasEndedOutput = false
    /// The server's end of TLS has come.
    private var hasEndedInput = false
    private var isFinished = false

    /// Prepares a connection.
    /// - Parameters:
    ///   - context: Whom to trust.
    ///   - host: The name, or IP address, that the server's certificate must be for.
    /// - Throws: ``TLSError/setup(reason:)``.
    public init(context: TLSClientContext, host: String) throws(TLSError) {
        // C would end the name there, and check another one than the caller connects to.
        guard !host.isEmpty, !host.utf8.contains(0) else { throw .setup(reason: "the host name is empty or has a NUL") }
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else { throw .setup(reason: OpenSSLReason.take()) }
        guard let incoming = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw .setup(reason: OpenSSLReason.take())
        }
        guard let outgoing = BIO_new(BIO_s_mem()) else {
            BIO_free(incoming)
            SSL_free(ssl)
            throw .setup(reason: OpenSSLReason.take())
        }
        COpenSSL_memory_bio_never_ends(incoming)
        COpenSSL_memory_bio_never_ends(outgoing)
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
        COpenSSL_refuse_partial_wildcards(ssl)
        seen = UnsafeMutablePointer<UInt8>.allocate(capacity: SHA256.digestLength)
        seen.initialize(repeating: 0, count: SHA256.digestLength)
        COpenSSL_note_fingerprint(ssl, seen)
        (self.context, self.host, self.ssl) = (context, host, ssl)
        (self.incoming, self.outgoing) = (incoming, outgoing)
        // An address is checked against the certificate's addresses and never sent as a server name (RFC 6066).
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 { return }
        ERR_clear_error()
        // The DNS root's dot belongs neither in a certificate nor in a server name (RFC 6066, 3).
        let name = host.utf8.last == 0x2E ? String(host.dropLast()) : host
        guard SSL_set1_host(ssl, name) == 1, COpenSSL_set_server_name(ssl, name) == 1 else {
            throw .setup(reason: OpenSSLReason.take())
        }
    }

    deinit {
        SSL_free(ssl)
        seen.deallocate()
    }

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { advance(context) }
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        isFinished = true
        failHeld(ChannelError.ioOnClosedChannel)
    }

    public func channelActive(context: ChannelHandlerContext) {
        advance(context)
        context.fireChannelActive()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        while !isFinished, !hasEndedInput, let slice = buffer.readSlice(length: min(buffer.readableBytes, Self.chunk)),
            slice.readableBytes > 0
        {
            _ = slice.withUnsafeReadableBytes { BIO_write(incoming, $0.baseAddress, Int32($0.count)) }
            advance(context)
        }
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed, !isFinished else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        // The end of TLS came before the stream's and was fired then.
        if !hasEndedInput { fail(context, isEstablished ? .truncated(host: host) : .closedInHandshake(host: host)) }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        let wasCut = !isFinished && !hasEndedInput
        let error: TLSError = isEstablished ? .truncated(host: host) : .closedInHandshake(host: host)
        isFinished = true
        failHeld(error)
        if wasCut { context.fireErrorCaught(error) }
        context.fireChannelInactive()
    }

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = unwrapOutboundIn(data)
        if isFinished {
            promise?.fail(ChannelError.ioOnClosedChannel)
        } else if hasEndedOutput {
            promise?.fail(ChannelError.outputClosed)
        } else if isEstablished {
            switch seal(buffer) {
            case .success(let cipher): context.write(wrapOutboundOut(cipher), promise: promise)
            case .failure(let error):
                promise?.fail(error)
                fail(context, error)
            }
        } else {
            held.append((buffer, promise))
            heldBytes += buffer.readableBytes
            // A write left out would tear the stream, so the connection ends.
            if heldBytes > Self.heldLimit { fail(context, .tooMuchHeld(limit: Self.heldLimit)) }
        }
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .input: context.close(mode: .input, promise: promise)
        case .output:
            guard !isFinished, !hasEndedOutput else {
                promise?.fail(isFinished ? ChannelError.ioOnClosedChannel : ChannelError.outputClosed)
                return
            }
            hasEndedOutput = true
            if isEstablished {
                endOutput(context, promise)
            } else {
                heldOutputClose = promise ?? context.eventLoop.makePromise()
            }
        case .all:
            if isEstablished, !isFinished, !hasEndedOutput { sendEnd(context) }
            isFinished = true
            failHeld(ChannelError.ioOnClosedChannel)
            context.close(mode: .all, promise: promise)
        }
    }

    /// Goes on with what has come: the handshake, then the data behind it.
    private func advance(_ context: ChannelHandlerContext) {
        guard !isFinished else { return }
        if !isEstablished {
            ERR_clear_error()
            let result = SSL_do_handshake(ssl)
            guard result == 1 else {
                let code = SSL_get_error(ssl, result)
                let isWaiting = code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE
                // Before the flush, whose callbacks may use OpenSSL and empty its queue of errors.
                let error = isWaiting ? nil : handshakeError()
                flushOutgoing(context)
                if let error { fail(context, error) }
                return
            }
            isEstablished = true
            sendHeld(context)
            guard !isFinished else { return }
            let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
            context.fireUserInboundEventTriggered(
                Established(version: String(cString: SSL_get_version(ssl)), cipher: cipher))
        }
        decrypt(context)
    }

    private func handshakeError() -> TLSError {
        let code = SSL_get_verify_result(ssl)
        let reason = OpenSSLReason.take()
        guard code != X509_V_OK else { return .handshake(host: host, reason: reason) }
        if code == X509_V_ERR_APPLICATION_VERIFICATION {
            let bytes = Array(UnsafeBufferPointer(start: seen, count: SHA256.digestLength))
            return .notPinned(host: host, seen: TLSFingerprint(bytes: bytes))
        }
        return .untrusted(host: host, code: code, reason: String(cString: X509_verify_cert_error_string(code)))
    }

    /// Sends the handshake's end and all that was held. Everything is encrypted first: a write made by a promise's
    /// callback must come after what was held.
    private func sendHeld(_ context: ChannelHandlerContext) {
        let (writes, close) = (held, heldOutputClose)
        (held, heldBytes, heldOutputClose) = ([], 0, nil)
        var sealed: [(ByteBuffer, EventLoopPromise<Void>?)] = [(takeOutgoing(), nil)]
        var failure: TLSError?
        for (buffer, promise) in writes {
            switch failure.map({ .failure($0) }) ?? seal(buffer) {
            case .success(let cipher): sealed.append((cipher, promise))
            case .failure(let error):
                failure = error
                promise?.fail(error)
            }
        }
        for (cipher, promise) in sealed { context.write(wrapOutboundOut(cipher), promise: promise) }
        context.flush()
        if let failure {
            close?.fail(failure)
            fail(context, failure)
        } else if let close {
            if isFinished { close.fail(ChannelError.ioOnClosedChannel) } else { endOutput(context, close) }
        }
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        while !isFinished, !hasEndedInput {
            var plain = context.channel.allocator.buffer(capacity: Self.chunk)
            var result: Int32 = 0
            ERR_clear_error()
            plain.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunk) { bytes in
                result = SSL_read(ssl, bytes.baseAddress, Int32(Self.chunk))
                return max(0, Int(result))
            }
            if result > 0 {
                context.fireChannelRead(wrapInboundOut(plain))
                continue
            }
            let code = SSL_get_error(ssl, result)
            let reason = OpenSSLReason.take()
            flushOutgoing(context)
            switch code {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
            case SSL_ERROR_ZERO_RETURN: inputEnded(context)
            default: fail(context, .broken(reason: reason))
            }
            return
        }
    }

    private func inputEnded(_ context: ChannelHandlerContext) {
        guard !isFinished, !hasEndedInput else { return }
        hasEndedInput = true
        let staysOpen = (try? context.channel.syncOptions?.getOption(.allowRemoteHalfClosure)) ?? false
        context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        if !staysOpen, !isFinished { close(context: context, mode: .all, promise: nil) }
    }

    private func endOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        sendEnd(context)
        context.close(mode: .output, promise: promise)
    }

    /// Sends this side's end of TLS, `close_notify`.
    private func sendEnd(_ context: ChannelHandlerContext) {
        hasEndedOutput = true
        ERR_clear_error()
        SSL_shutdown(ssl)
        flushOutgoing(context)
    }

    private func seal(_ buffer: ByteBuffer) -> Result<ByteBuffer, TLSError> {
        var buffer = buffer
        while buffer.readableBytes > 0 {
            ERR_clear_error()
            // A memory BIO takes all there is and renegotiation is refused, so this never asks to wait.
            let count = buffer.withUnsafeReadableBytes { bytes in
                SSL_write(ssl, bytes.baseAddress, Int32(min(bytes.count, Self.chunk)))
            }
            guard count > 0 else { return .failure(.broken(reason: OpenSSLReason.take())) }
            buffer.moveReaderIndex(forwardBy: Int(count))
        }
        return .success(takeOutgoing())
    }

    /// What OpenSSL has to send, taken at once so that it leaves in the order in which OpenSSL made it.
    private func takeOutgoing() -> ByteBuffer {
        let count = COpenSSL_pending(outgoing)
        var cipher = ByteBufferAllocator().buffer(capacity: count)
        while cipher.readableBytes < count {
            let taken = cipher.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunk) { bytes in
                max(0, Int(BIO_read(outgoing, bytes.baseAddress, Int32(min(bytes.count, 1 << 30)))))
            }
            if taken == 0 { break }
        }
        return cipher
    }

    private func flushOutgoing(_ context: ChannelHandlerContext) {
        let cipher = takeOutgoing()
        if cipher.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(cipher), promise: nil) }
    }

    private func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        guard !isFinished else { return }
        isFinished = true
        failHeld(error)
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private func failHeld(_ error: any Error) {
        let (writes, close) = (held, heldOutputClose)
        (held, heldBytes, heldOutputClose) = ([], 0, nil)
        for (_, promise) in writes { promise?.fail(error) }
        close?.fail(error)
    }
}

@available(*, unavailable)
extension TLSClientHandler: Sendable {}
