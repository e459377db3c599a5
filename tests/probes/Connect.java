// Connects to port 7001 of each destination and prints the peer that the far end saw, or what
// Java makes of the failure.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

class Connect {
    public static void main(String[] destinations) {
        for (String to : destinations) {
            say(() -> {
                try (Socket socket = new Socket()) {
                    socket.connect(new InetSocketAddress(to, 7001), 2000);
                    socket.shutdownOutput();
                    var reader = new InputStreamReader(socket.getInputStream());
                    return new BufferedReader(reader).lines().toList().get(0);
                }
            });
            say(() -> {
                try (SocketChannel channel = SocketChannel.open(new InetSocketAddress(to, 7001))) {
                    ByteBuffer buffer = ByteBuffer.allocate(256);
                    channel.shutdownOutput();
                    while (channel.read(buffer) > 0) {}
                    return new String(buffer.array(), 0, buffer.position());
                }
            });
        }
    }

    interface Connection {
        String greeting() throws IOException;
    }

    static void say(Connection connection) {
        try {
            System.out.println(connection.greeting().split(" ")[0]);
        } catch (IOException | RuntimeException failure) {
            System.out.println(failure);
        }
    }
}
