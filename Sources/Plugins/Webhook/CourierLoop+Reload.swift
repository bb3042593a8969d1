import PluginWire

// Endpoints come, change and go while the others post on.
extension CourierLoop {
    /// Begins the queues that the host names: a delivery of an earlier life of one of them is void.
    func begin(_ queues: [HostMessage.QueueStart]) {
        for queue in queues {
            if let seat = seats[queue.name] { retire(seat) }
            guard let endpoint = wanted[queue.name] else { continue }
            let lane = Lane(endpoint, state: queue.state, offset: offset, now: Self.now())
            let lines = Self.headerLines(endpoint)
            lastPool &+= 1
            if let seat = vacant.popLast() {
                (endpoints[seat], headers[seat], lanes[seat], pools[seat]) = (endpoint, lines, lane, lastPool)
                seats[queue.name] = seat
            } else {
                seats[queue.name] = lanes.count
                endpoints.append(endpoint)
                headers.append(lines)
                pools.append(lastPool)
                lanes.append(lane)
                isListed.append(false)
                idle.append([])
            }
            guard let seat = seats[queue.name] else { continue }
            pacer.set(seat, endpoint.rate, now: Self.now())
            if lane.wakeAt != nil { held.insert(seat) }
            lane.opening.forEach(send)
            holdIfUnsigned(seat)
        }
        reporter.isDirty = true
    }

    /// Takes a new configuration. What is the same notices nothing; a changed endpoint whose queue is the same goes on
    /// with its place and its deliveries; one whose queue changed begins again when the host says so.
    func configure(_ id: MessageID, _ new: WebhookConfiguration) {
        wanted = Dictionary(new.endpoints.map { ($0.name, $0) }) { first, _ in first }
        for (name, seat) in seats {
            guard let endpoint = wanted[name] else {
                retire(seat)
                continue
            }
            if endpoint.fingerprint == endpoints[seat].fingerprint { continue }
            if endpoint.isQueued(as: endpoints[seat]) { change(seat, to: endpoint) } else { retire(seat) }
        }
        reporter.tell(leftOut: new.leftOut)
        reporter.isDirty = true
        hasChanged = true
        flushAcks()
        let queues = new.endpoints.map { endpoint in
            var queue = endpoint.queue
            // The window as it is now, so that the host opens none that is held.
            if let seat = seats[endpoint.name] { queue.window = lanes[seat].window }
            return queue
        }
        send(.queues(queues))
        send(.configured(id: id, problem: nil))
    }

    /// The endpoints that are at work.
    var lanesAtWork: [Lane] { seats.values.sorted().map { lanes[$0] } }

    /// Makes room where an endpoint has gone and nothing of it is in flight.
    func vacate(_ seat: Int) {
        guard retired.contains(seat), lanes[seat].inFlight == 0 else { return }
        retired.remove(seat)
        vacant.append(seat)
    }

    /// Whether a try was made under an endpoint's earlier configuration.
    func isStale(_ transfer: Transfer) -> Bool { transfer.headers !== headers[transfer.lane] }

    private func retire(_ seat: Int) {
        seats[lanes[seat].name] = nil
        lanes[seat].retire()
        held.remove(seat)
        pacer.set(seat, nil, now: Self.now())
        dropIdle(of: seat)
        retired.insert(seat)
        vacate(seat)
    }

    private func change(_ seat: Int, to endpoint: Endpoint) {
        endpoints[seat] = endpoint
        headers[seat] = Self.headerLines(endpoint)
        lanes[seat].adopt(endpoint).forEach(send)
        held.remove(seat)
        pacer.set(seat, endpoint.rate, now: Self.now())
        dropIdle(of: seat)
        holdIfUnsigned(seat)
        list(seat)
    }

    private func dropIdle(of seat: Int) {
        for transfer in idle[seat] { discard(transfer) }
        idleCount -= idle[seat].count
        idle[seat] = []
    }
}
