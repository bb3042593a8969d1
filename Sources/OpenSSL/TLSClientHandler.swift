import COpenSSL
import NIOCore

/// TLS on a client's channel: the server's chain and name are checked, bytes inside the pipeline are plain.
///
/// Fires ``TLSClientHandler/Established`` once the handshake is done. What is written before waits for it. Any failure
/// is fired as a ``TLSError`` and closes the channel.
public final class TLSClientHandler: ChannelDuplexHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    /// The user event that says that the handshake is done and the server is who it should be.
    public struct Established: Sendable {
        /// Such as `TLSv1.3`.
        public var version: String
    }

    /// The most that is decrypted or taken from OpenSSL at once, in bytes.
    private static let chunk = 16 << 10

    private let host: String
    private let ssl: OpaquePointer
    // Owned by `ssl`: what comes from the network, and what goes to it.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let context: TLSClientContext
    private var waiting: [(ByteBuffer, EventLoopPromise<Void>?)] = []
    private var isEstablished = false
    private var isFinished = false

    /// Prepares a connection.
    /// - Parameters:
    ///   - context: Whom to trust.
    ///   - host: The name, or IP address, that the server's certificate must be for.
    /// - Throws: ``TLSError/setup(reason:)``.
    public init(context: TLSClientContext, host: String) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else { throw .setup(reason: OpenSSLReason.take()) }
        guard let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            SSL_free(ssl)
            throw .setup(reason: OpenSSLReason.take())
        }
        COpenSSL_memory_bio_never_ends(incoming)
        COpenSSL_memory_bio_never_ends(outgoing)
        SSL_set_bio(ssl, incoming, outgoing)
        SSL_set_connect_state(ssl)
        (self.context, self.host, self.ssl) = (context, host, ssl)
        (self.incoming, self.outgoing) = (incoming, outgoing)
        // An address is checked against the certificate's addresses and never sent as a server name (RFC 6066).
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 { return }
        ERR_clear_error()
        guard SSL_set1_host(ssl, host) == 1, COpenSSL_set_server_name(ssl, host) == 1 else {
            throw .setup(reason: OpenSSLReason.take())
        }
    }

    deinit { SSL_free(ssl) }

    public func channelActive(context: ChannelHandlerContext) {
        advance(context)
    }

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { advance(context) }
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        guard !isFinished else { return }
        _ = buffer.withUnsafeReadableBytes { BIO_write(incoming, $0.baseAddress, Int32($0.count)) }
        advance(context)
    }

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = unwrapOutboundIn(data)
        if isFinished {
            promise?.fail(ChannelError.ioOnClosedChannel)
        } else if isEstablished {
            encrypt(context, buffer, promise)
        } else {
            waiting.append((buffer, promise))
        }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        if !isEstablished, !isFinished {
            isFinished = true
            context.fireErrorCaught(TLSError.closedInHandshake(host: host))
        }
        isFinished = true
        failWaiting()
        context.fireChannelInactive()
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if isEstablished, !isFinished {
            ERR_clear_error()
            SSL_shutdown(ssl)
            flushOutgoing(context)
        }
        isFinished = true
        failWaiting()
        context.close(mode: mode, promise: promise)
    }

    private func advance(_ context: ChannelHandlerContext) {
        guard !isFinished else { return }
        if !isEstablished {
            ERR_clear_error()
            let result = SSL_do_handshake(ssl)
            if result != 1 {
                let code = SSL_get_error(ssl, result)
                flushOutgoing(context)
                if code != SSL_ERROR_WANT_READ, code != SSL_ERROR_WANT_WRITE { fail(context, handshakeError()) }
                return
            }
            isEstablished = true
            flushOutgoing(context)
            context.fireUserInboundEventTriggered(Established(version: String(cString: SSL_get_version(ssl))))
            let held = waiting
            waiting = []
            for (buffer, promise) in held { encrypt(context, buffer, promise) }
        }
        decrypt(context)
    }

    private func handshakeError() -> TLSError {
        let code = SSL_get_verify_result(ssl)
        let reason = OpenSSLReason.take()
        guard code != X509_V_OK else { return .handshake(host: host, reason: reason) }
        return .untrusted(host: host, code: code, reason: String(cString: X509_verify_cert_error_string(code)))
    }

    private func decrypt(_ context: ChannelHandlerContext) {
        while !isFinished {
            var plain = context.channel.allocator.buffer(capacity: Self.chunk)
            var result: Int32 = 0
            ERR_clear_error()
            plain.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunk) { bytes in
                result = SSL_read(ssl, bytes.baseAddress, Int32(Self.chunk))
                return max(0, Int(result))
            }
            guard result > 0 else {
                let code = SSL_get_error(ssl, result)
                flushOutgoing(context)
                if code == SSL_ERROR_ZERO_RETURN {
                    context.close(promise: nil)
                } else if code != SSL_ERROR_WANT_READ, code != SSL_ERROR_WANT_WRITE {
                    fail(context, .broken(reason: OpenSSLReason.take()))
                }
                return
            }
            context.fireChannelRead(wrapInboundOut(plain))
        }
    }

    private func encrypt(_ context: ChannelHandlerContext, _ buffer: ByteBuffer, _ promise: EventLoopPromise<Void>?) {
        var buffer = buffer
        while buffer.readableBytes > 0 {
            ERR_clear_error()
            // A memory BIO takes all there is, so this never asks to wait.
            let count = buffer.withUnsafeReadableBytes { SSL_write(ssl, $0.baseAddress, Int32($0.count)) }
            guard count > 0 else {
                let error = TLSError.broken(reason: OpenSSLReason.take())
                promise?.fail(error)
                fail(context, error)
                return
            }
            buffer.moveReaderIndex(forwardBy: Int(count))
        }
        flushOutgoing(context, promise)
    }

    private func flushOutgoing(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>? = nil) {
        let count = COpenSSL_pending(outgoing)
        guard count > 0 else {
            promise?.succeed()
            return
        }
        var cipher = context.channel.allocator.buffer(capacity: count)
        cipher.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            max(0, Int(BIO_read(outgoing, bytes.baseAddress, Int32(count))))
        }
        context.writeAndFlush(wrapOutboundOut(cipher), promise: promise)
    }

    private func fail(_ context: ChannelHandlerContext, _ error: TLSError) {
        guard !isFinished else { return }
        isFinished = true
        failWaiting()
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    private func failWaiting() {
        let held = waiting
        waiting = []
        for (_, promise) in held { promise?.fail(ChannelError.ioOnClosedChannel) }
    }
}

@available(*, unavailable)
extension TLSClientHandler: Sendable {}
